using System.Globalization;
using System.Reflection;

namespace FastLLM.Cluster.Store;

/// <summary>Represents one step of the database's schema, an embedded file <c>0001-name.sql</c>.</summary>
internal sealed record Migration(int Number, string Name, string Sql)
{
    private const string Folder = "migrations/";

    /// <summary>Gets all steps, in the order in which they are applied.</summary>
    public static IReadOnlyList<Migration> All { get; } = [.. Load().OrderBy(step => step.Number)];

    private static IEnumerable<Migration> Load()
    {
        Assembly assembly = typeof(Migration).Assembly;
        foreach (string resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)))
        {
            string name = resource[Folder.Length..^".sql".Length];
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            yield return new Migration(int.Parse(name.AsSpan(0, 4), CultureInfo.InvariantCulture), name[5..], reader.ReadToEnd());
        }
    }
}
