using System.Buffers;
using System.Text;
using System.Text.Json;

namespace FastLLM.Jobs.Reports;

/// <summary>Writes the numbers of a report as JSON.</summary>
internal static class ReportJson
{
    public static string Of(OutputReport report)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("rows", report.Rows);
            json.WriteNumber("succeeded", report.Succeeded);
            json.WriteNumber("failed", report.Failed);
            json.WriteNumber("cached", report.Cached);
            json.WriteNumber("shared", report.Shared);
            json.WriteNumber("sends", report.Sends);
            json.WriteNumber("maybe_billed", report.MaybeBilled);
            json.WriteNumber("damaged_lines", report.Damaged);
            json.WriteNumber("replaced_records", report.Replaced);
            if (report.Cost is { } cost)
            {
                json.WriteNumber("cost", cost);
                json.WriteNumber("rows_with_cost", report.RowsWithCost);
            }

            if (report is { First: { } first, Last: { } last })
            {
                json.WriteString("first", first.UtcDateTime);
                json.WriteString("last", last.UtcDateTime);
                json.WriteBoolean("times_are_the_providers", report.TimesAreTheProviders);
            }

            Write(json, "latency_ms", report.Latency);
            Write(json, "prompt_tokens", report.PromptTokens);
            Write(json, "completion_tokens", report.CompletionTokens);
            Write(json, "answer_characters", report.AnswerLengths);
            Write(json, "short_answers", report.ShortAnswers);
            Write(json, report.AnswerFields);
            Write(json, "failures", report.Failures, withExample: true);
            Write(json, "finish_reasons", report.FinishReasons);
            Write(json, "models", report.Models);
            Write(json, "limited_by", report.LimitedBy);
            json.WriteNumber("rows_in_page", report.RowsInPage);
            json.WriteNumber("failed_in_page", report.FailedInPage);
            json.WriteNumber("cut_in_page", report.CutInPage);
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

    private static void Write(Utf8JsonWriter json, IReadOnlyList<FieldDistribution> fields)
    {
        if (fields.Count == 0)
        {
            return;
        }

        json.WriteStartObject("answer_fields");
        foreach (FieldDistribution field in fields)
        {
            Write(json, field.Name, [.. field.Values.Select(value => new ReportCount(value.Key, value.Value, ""))]);
        }

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
}
