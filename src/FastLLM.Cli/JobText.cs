using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Cluster.Client;
using FastLLM.Cluster.Store;

namespace FastLLM.Cli;

/// <summary>Formats the jobs of a cluster, for people and as JSON.</summary>
internal static class JobText
{
    /// <summary>Formats jobs as a table.</summary>
    public static string Table(IReadOnlyList<ClusterJob> jobs)
    {
        if (jobs.Count == 0)
        {
            return "There are no jobs.";
        }

        string[][] rows =
        [
            ["JOB", "STATE", "ROWS", "FAILED", "COST", "CREATED (UTC)", "INPUT"],
            .. jobs.Select(job => (string[])
            [
                job.Id, job.State, Done(job), Number(job.Counts.Failed), CostText.Dollars(job.Counts.Cost),
                job.Created.ToUniversalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), TerminalText.Clean(job.Name, 60),
            ]),
        ];
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        return string.Join(
            Environment.NewLine, rows.Select(row => string.Join("  ", row.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd()));
    }

    /// <summary>Formats the status of a job.</summary>
    public static string Of(JobStatus status)
    {
        ClusterJob job = status.Job;
        var text = new StringBuilder();
        Add("job", $"{job.Id} ({TerminalText.Clean(job.Name, 80)})");
        Add("state", job.Reason is { } reason ? $"{job.State}: {TerminalText.Clean(reason, 400)}" : job.State);
        Add("rows", $"{Done(job)}: {Number(job.Counts.Answered)} answered, {Number(job.Counts.Failed)} failed, "
            + $"{Number(job.Counts.Cached)} cached, {Number(job.Counts.Shared)} shared");
        Add("chunks", $"{Number(job.ChunksDone)} of {Number(job.Chunks)} done");
        Add("sends", Number(job.Counts.Sends));
        Add("tokens", $"{Number(job.Counts.PromptTokens)} prompt, {Number(job.Counts.CompletionTokens)} completion");
        Add("cost", CostText.Dollars(job.Counts.Cost));
        if (status.Budget is { } budget)
        {
            string lost = budget.MaybePaid == 0 ? ""
                : $", {CostText.Dollars(budget.MaybePaid)} possibly paid by workers that ended without a report";
            Add("budget", $"{CostText.Dollars(budget.Budget)}: {CostText.Dollars(budget.Paid)} paid, "
                + $"{CostText.Dollars(budget.Lent)} lent to workers{lost}");
        }

        if (status.Workers.Count > 0)
        {
            Add("rate", $"{ProgressText.Rate(status.RowsPerSecond)} rows/s");
            Add("bottleneck", BottleneckText.Name(status.Bottleneck));
            foreach (LearnedLimits limits in status.Limits)
            {
                Add("provider", (status.Limits.Count == 1 ? "" : TerminalText.Clean(limits.Model, 40) + ": ") + limits);
            }
        }

        Add("workers", Number(status.Workers.Count));
        foreach (LiveWorker worker in status.Workers)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  {worker.Id}: {worker.Report.InFlight:N0} in flight, {worker.Chunks:N0} chunks, "
                + $"{ProgressText.Rate(worker.Report.RowsPerSecond)} rows/s");
        }

        return text.ToString().TrimEnd();

        void Add(string name, string value) => text.Append(name.PadRight(12)).AppendLine(value);
    }

    /// <summary>Formats jobs as a JSON array.</summary>
    public static string Json(IReadOnlyList<ClusterJob> jobs) => Write(json =>
    {
        json.WriteStartArray();
        foreach (ClusterJob job in jobs)
        {
            json.WriteStartObject();
            WriteJob(json, job);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    /// <summary>Formats the status of a job as a JSON object.</summary>
    public static string Json(JobStatus status) => Write(json =>
    {
        json.WriteStartObject();
        WriteJob(json, status.Job);
        json.WriteNumber("rows_per_second", Math.Round(status.RowsPerSecond, 2));
        json.WriteString("limited_by", BottleneckText.Id(status.Bottleneck));
        LearnedJson.Write(json, status.Limits);
        if (status.Budget is { } budget)
        {
            json.WriteStartObject("budget");
            json.WriteNumber("max_cost", Trim(budget.Budget));
            json.WriteNumber("paid", Trim(budget.Paid));
            json.WriteNumber("possibly_paid", Trim(budget.MaybePaid));
            json.WriteNumber("lent", Trim(budget.Lent));
            json.WriteEndObject();
        }

        json.WriteStartArray("workers");
        foreach (LiveWorker worker in status.Workers)
        {
            json.WriteStartObject();
            json.WriteString("id", worker.Id);
            json.WriteNumber("in_flight", worker.Report.InFlight);
            json.WriteNumber("chunks", worker.Chunks);
            json.WriteNumber("rows_per_second", Math.Round(worker.Report.RowsPerSecond, 2));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    });

    private static void WriteJob(Utf8JsonWriter json, ClusterJob job)
    {
        json.WriteString("job", job.Id);
        json.WriteString("input", job.Name);
        json.WriteString("state", job.State);
        json.WriteString("reason", job.Reason);
        json.WriteString("created", job.Created.ToUniversalTime());
        json.WriteNumber("rows", job.Rows);
        json.WriteNumber("done", job.RowsDone);
        json.WriteNumber("answered", job.Counts.Answered);
        json.WriteNumber("failed", job.Counts.Failed);
        json.WriteNumber("cached", job.Counts.Cached);
        json.WriteNumber("shared", job.Counts.Shared);
        json.WriteNumber("sends", job.Counts.Sends);
        json.WriteNumber("prompt_tokens", job.Counts.PromptTokens);
        json.WriteNumber("completion_tokens", job.Counts.CompletionTokens);
        json.WriteNumber("cost", Trim(job.Counts.Cost));
        json.WriteNumber("chunks", job.Chunks);
        json.WriteNumber("chunks_done", job.ChunksDone);
    }

    // Without zeros at the end.
    private static decimal Trim(decimal amount) => amount / 1.000000000000000000000000000m;

    private static string Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            write(json);
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    // Rounded down, so that 100% means that all are done.
    private static string Done(ClusterJob job) => string.Create(CultureInfo.InvariantCulture,
        $"{job.RowsDone:N0}/{job.Rows:N0} ({(job.Rows == 0 ? 100 : job.RowsDone * 100 / job.Rows)}%)");

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
