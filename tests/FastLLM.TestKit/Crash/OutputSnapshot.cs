using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace FastLLM.TestKit.Crash;

/// <summary>OUTPUT as it lies on the disk, read by other means than the engine's: whole lines, and what is torn.</summary>
public sealed class OutputSnapshot
{
    private OutputSnapshot(List<OutputRecordSeen> records, int tornBytes)
    {
        Records = records;
        TornBytes = tornBytes;
    }

    /// <summary>Gets the records in the order in which they stand.</summary>
    public IReadOnlyList<OutputRecordSeen> Records { get; }

    /// <summary>Gets how many bytes follow the last line.</summary>
    public int TornBytes { get; }

    public static OutputSnapshot Read(string path)
    {
        byte[] bytes = File.Exists(path) ? File.ReadAllBytes(path) : [];
        var records = new List<OutputRecordSeen>();
        int start = 0;
        for (int end; (end = Array.IndexOf(bytes, (byte)'\n', start)) >= 0; start = end + 1)
        {
            records.Add(OutputRecordSeen.Parse(Encoding.UTF8.GetString(bytes, start, end - start)));
        }

        return new OutputSnapshot(records, bytes.Length - start);
    }
}

/// <summary>One record.</summary>
/// <param name="Id">The row's id.</param>
/// <param name="Line">All of it.</param>
/// <param name="Body">The SHA-256 of the answer's body as it stands there; <see langword="null"/> for a failure.</param>
public sealed record OutputRecordSeen(string Id, string Line, string? Body)
{
    public static OutputRecordSeen Parse(string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        JsonElement root = json.RootElement;
        bool isSuccess = root.GetProperty("error").ValueKind == JsonValueKind.Null && root.GetProperty("response").GetProperty("status_code").GetInt32() == 200;
        return new OutputRecordSeen(
            root.GetProperty("custom_id").GetString()!,
            line,
            isSuccess ? Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(root.GetProperty("response").GetProperty("body").GetRawText()))) : null);
    }
}
