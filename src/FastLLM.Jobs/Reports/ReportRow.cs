using System.Globalization;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Responses;

namespace FastLLM.Jobs.Reports;

/// <summary>Represents one row in a report. Values that the file lacks are null; <c>Words</c> is the answer or the failure's
/// message.</summary>
internal sealed record ReportRow(
    long Line,
    string Id,
    bool Succeeded,
    string FinishReason,
    string Failure,
    string Model,
    string Words,
    string? Metadata,
    bool IsOwn,
    bool IsCached,
    bool IsShared,
    long? Status,
    long? Attempts,
    long? Latency,
    long? PromptTokens,
    long? CompletionTokens,
    long? MaybeBilled,
    decimal? Cost,
    DateTimeOffset? At,
    DateTimeOffset? Created,
    string? LimitedBy)
{
    private const decimal MaxCost = 1_000_000_000_000; // so that a sum never overflows

    /// <summary>Gets a value indicating whether the simulator of the command made the answer up.</summary>
    public bool IsSimulated { get; init; }

    /// <summary>Reads a line that is known to be a record.</summary>
    /// <param name="record">The line.</param>
    /// <param name="line">Its number, from 1.</param>
    /// <param name="succeeded">Whether it is a success.</param>
    public static ReportRow Read(JsonElement record, long line, bool succeeded)
    {
        JsonElement response = record.Member("response");
        JsonElement body = response.Member("body");
        JsonElement own = record.Member("fastllm");
        JsonElement usage = body.Member("usage");
        JsonElement error = record.Member("error");
        error = error.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined ? body.Member("error") : error;
        JsonElement metadata = own.Member("metadata");
        long? status = response.Whole("status_code");
        return new ReportRow(
            Line: line,
            Id: record.Text("custom_id") ?? "",
            Succeeded: succeeded,
            FinishReason: succeeded ? FinishReasonOf(body) : "",
            Failure: succeeded ? "" : own.Text("failure") ?? error.Text("code") ?? error.Text("type")
                ?? (status is { } code ? string.Create(CultureInfo.InvariantCulture, $"http_{code}") : "unknown"),
            Words: succeeded ? AnswerText.Of(body) : own.Text("message") ?? error.Text("message") ?? error.Text() ?? "",
            Model: body.Text("model") ?? "",
            Metadata: metadata.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined ? null : metadata.RawText(),
            IsOwn: own.ValueKind == JsonValueKind.Object,
            IsCached: own.Member("cached").ValueKind == JsonValueKind.True,
            IsShared: own.Member("shared").ValueKind == JsonValueKind.True,
            Status: status,
            Attempts: own.Whole("attempts"),
            Latency: own.Whole("latency_ms"),
            PromptTokens: usage.LargerOf("prompt_tokens", "input_tokens").Whole(),
            CompletionTokens: usage.LargerOf("completion_tokens", "output_tokens").Whole(),
            MaybeBilled: own.Whole("maybe_billed"),
            Cost: CostOf(own.Member("cost")),
            At: TimeOf(own.Text("at")),
            Created: (body.Whole("created") ?? body.Whole("created_at")) is { } seconds and > 0 and < 100_000_000_000
                ? DateTimeOffset.FromUnixTimeSeconds(seconds)
                : null,
            LimitedBy: own.Text("limited_by"))
        {
            IsSimulated = own.Member("simulated").ValueKind == JsonValueKind.True,
        };
    }

    // That of the first choice. An object of /v1/responses has a status and, if it was cut off, a reason.
    private static string FinishReasonOf(JsonElement body)
    {
        if (body.Member("choices") is { ValueKind: JsonValueKind.Array } choices && choices.GetArrayLength() > 0)
        {
            return choices[0].Text("finish_reason") ?? "";
        }

        return AnswerReader.FinishReasonOfOutput(body) ?? body.Text("status") ?? "";
    }

    private static DateTimeOffset? TimeOf(string? text)
    {
        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, Utc, out DateTimeOffset time) ? time : null;
    }

    private static decimal? CostOf(JsonElement cost)
    {
        decimal number;
        bool isNumber = cost.ValueKind == JsonValueKind.Number
            ? cost.TryGetDecimal(out number)
            : decimal.TryParse(cost.Text(), NumberStyles.Float, CultureInfo.InvariantCulture, out number);
        return isNumber && Math.Abs(number) < MaxCost ? number : null;
    }
}
