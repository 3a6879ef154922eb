using System.Globalization;
using System.Text.Json;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>Rows for a cluster, and the check of what came of them.</summary>
internal static class ClusterRows
{
    private const long Stride = 7919; // equal rows are far from each other

    /// <summary>Writes rows of about 450 bytes, with so many different requests.</summary>
    public static async Task WriteAsync(string path, int rows, int distinct)
    {
        await using var file = new StreamWriter(path) { NewLine = "\n" };
        for (var row = 0; row < rows; row++)
        {
            await file.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $$$"""{"custom_id":"row-{{{row}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-5-mini","messages":[{"role":"system","content":"You answer questions about the reviews of a shop in one short sentence, and never guess."},{"role":"user","content":"Review {{{row * Stride % distinct}}}: the parcel came late, the box was open, but the lamp works and my daughter likes its colour. Is this customer content?"}],"max_completion_tokens":100}}"""));
        }
    }

    /// <summary>Counts the rows of an output that are missing, twice there, in another place, or not answered, and shows the first of
    /// them.</summary>
    public static async Task<long> CountWrongAsync(string path, int rows)
    {
        long wrong = 0;
        var expected = 0;
        await foreach (string line in File.ReadLinesAsync(path))
        {
            using JsonDocument document = JsonDocument.Parse(line);
            bool isRight = document.RootElement.GetProperty("custom_id").ValueEquals($"row-{expected++}")
                && document.RootElement.GetProperty("response") is { ValueKind: JsonValueKind.Object } response
                && response.GetProperty("status_code").GetInt32() == 200;
            if (!isRight && wrong++ == 0)
            {
                Console.Error.WriteLine($"The first wrong row, where row-{expected - 1} belongs: {line}");
            }
        }

        return wrong + Math.Abs(rows - expected);
    }
}
