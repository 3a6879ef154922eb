using System.Buffers;
using System.Text;
using System.Text.Json;
using FastLLM.Jobs.Reports;

namespace FastLLM;

// Where a report goes: a page in a file of its own, numbers as JSON.
public sealed partial class OutputReport
{
    /// <summary>Reads an output and writes the page to a file, readable by its owner only. The file appears when it is whole.</summary>
    /// <param name="output">The output file; of one that is made of a log (a table, packed lines), the log beside it is read.</param>
    /// <param name="html">The page; an earlier report there is replaced, any other file is not.</param>
    /// <param name="cancellationToken">Stops; nothing is left then.</param>
    /// <returns>The numbers that the page shows.</returns>
    /// <exception cref="IOException">The output cannot be read, the page not be written, or there is a file of that name that is no report.</exception>
    /// <exception cref="InvalidDataException">The file has lines, but not one of them is a record.</exception>
    public static async Task<OutputReport> WriteAsync(string output, string html, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(output);
        ArgumentException.ThrowIfNullOrEmpty(html);
        if (File.Exists(html) && !IsReport(html))
        {
            throw new IOException($"{html} is there already, and is no report: it is not overwritten. Name another file.");
        }

        string unfinished = FormattableString.Invariant($"{html}.{Environment.ProcessId}.tmp");
        var page = new FileStream(unfinished, NewFile());
        try
        {
            OutputReport report;
            await using (page.ConfigureAwait(false))
            {
                report = await WriteAsync(output, page, cancellationToken).ConfigureAwait(false);
            }

            File.Move(unfinished, html, overwrite: true);
            return report;
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }
    }

    /// <summary>The numbers as one JSON object, described in <c>docs/report.md</c>; all that is not ASCII is escaped.</summary>
    public string ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("rows", Rows);
            json.WriteNumber("succeeded", Succeeded);
            json.WriteNumber("failed", Failed);
            json.WriteNumber("cached", Cached);
            json.WriteNumber("shared", Shared);
            json.WriteNumber("sends", Sends);
            json.WriteNumber("maybe_billed", MaybeBilled);
            json.WriteNumber("damaged_lines", Damaged);
            json.WriteNumber("replaced_records", Replaced);
            if (Cost is { } cost)
            {
                json.WriteNumber("cost", cost);
                json.WriteNumber("rows_with_cost", RowsWithCost);
            }

            if (First is { } first && Last is { } last)
            {
                json.WriteString("first", first.UtcDateTime);
                json.WriteString("last", last.UtcDateTime);
                json.WriteBoolean("times_are_the_providers", TimesAreTheProviders);
            }

            Write(json, "latency_ms", Latency);
            Write(json, "prompt_tokens", PromptTokens);
            Write(json, "completion_tokens", CompletionTokens);
            Write(json, "failures", Failures, withExample: true);
            Write(json, "finish_reasons", FinishReasons);
            Write(json, "models", Models);
            Write(json, "limited_by", LimitedBy);
            json.WriteNumber("rows_in_page", RowsInPage);
            json.WriteNumber("failed_in_page", FailedInPage);
            json.WriteNumber("cut_in_page", CutInPage);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void Write(Utf8JsonWriter json, string name, ReportSpread spread)
    {
        if (spread.Count == 0)
        {
            return;
        }

        json.WriteStartObject(name);
        json.WriteNumber("rows", spread.Count);
        json.WriteNumber("sum", spread.Sum);
        json.WriteNumber("median", spread.Median);
        json.WriteNumber("p90", spread.P90);
        json.WriteNumber("p99", spread.P99);
        json.WriteNumber("max", spread.Max);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, IReadOnlyList<ReportCount> counts, bool withExample = false)
    {
        json.WriteStartArray(name);
        foreach (ReportCount count in counts)
        {
            json.WriteStartObject();
            json.WriteString("name", count.Name);
            json.WriteNumber("rows", count.Count);
            if (withExample)
            {
                json.WriteString("example", count.Example);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static bool IsReport(string path)
    {
        byte[] mark = Encoding.UTF8.GetBytes(ReportPage.Mark);
        byte[] begin = new byte[mark.Length];
        using FileStream file = File.OpenRead(path);
        return file.ReadAtLeast(begin, begin.Length, throwOnEndOfStream: false) == begin.Length && begin.AsSpan().SequenceEqual(mark);
    }

    // Answers are for their owner's eyes.
    private static FileStreamOptions NewFile()
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return options;
    }
}
