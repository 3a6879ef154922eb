using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace FastLLM.TestKit.Crash;

/// <summary>The rows of a job, each with a question of its own.</summary>
public sealed class CrashInput
{
    private readonly Dictionary<string, CrashRow> _byId;
    private readonly Dictionary<string, CrashRow> _byBody;

    public CrashInput(int rows, string name)
    {
        Rows = [.. Enumerable.Range(0, rows).Select(i => new CrashRow(i, name))];
        _byId = Rows.ToDictionary(row => row.Id);
        _byBody = Rows.ToDictionary(row => row.Sha256);
    }

    public IReadOnlyList<CrashRow> Rows { get; }

    public CrashRow? ById(string id) => _byId.GetValueOrDefault(id);

    public CrashRow? ByBody(string sha256) => _byBody.GetValueOrDefault(sha256);

    /// <summary>Writes the rows as batch lines, from one on, and then those before it.</summary>
    public void Write(string path, int first = 0) => File.WriteAllLines(path, Rows.Skip(first).Concat(Rows.Take(first)).Select(row =>
        $$"""{"custom_id":"{{row.Id}}","method":"POST","url":"/v1/chat/completions","body":{{row.Body}}}"""));
}

/// <summary>A row: its id, its body, and that one's two names.</summary>
public sealed class CrashRow(int place, string name)
{
    // Some 600 bytes, as a short question has.
    private static readonly string Filler = string.Concat(Enumerable.Repeat("all work and no play ", 25));

    public string Id { get; } = string.Create(CultureInfo.InvariantCulture, $"row-{place}");

    public string Body { get; } = string.Create(
        CultureInfo.InvariantCulture, $$"""{"model":"m","messages":[{"role":"user","content":"{{name}} {{place}}: {{Filler}}"}]}""");

    /// <summary>Gets its name in the ledger.</summary>
    public string Sha256 => field ??= Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Body)));

    /// <summary>Gets its name in the cache.</summary>
    public RequestKey Key => RequestKey.Compute("/v1/chat/completions", Encoding.UTF8.GetBytes(Body));
}
