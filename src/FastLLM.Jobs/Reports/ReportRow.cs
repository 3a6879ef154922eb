using System.Globalization;
using System.Text.Json;

namespace FastLLM.Jobs.Reports;

/// <summary>What a report tells of one row. What the file does not say is null.</summary>
internal sealed class ReportRow
{
    private const decimal Most = 1_000_000_000_000; // so that a sum never overflows

    public required long Line { get; init; }

    public required string Id { get; init; }

    public required bool Succeeded { get; init; }

    public required string FinishReason { get; init; }

    public required string Failure { get; init; }

    public required string Model { get; init; }

    /// <summary>The answer, or the failure's message.</summary>
    public required string Words { get; init; }

    public string? Metadata { get; init; }

    public bool IsOwn { get; init; }

    public bool IsCached { get; init; }

    public bool IsShared { get; init; }

    public long? Status { get; init; }

    public long? Attempts { get; init; }

    public long? Latency { get; init; }

    public long? PromptTokens { get; init; }

    public long? CompletionTokens { get; init; }

    public long? MaybeBilled { get; init; }

    public decimal? Cost { get; init; }

    public DateTimeOffset? At { get; init; }

    public DateTimeOffset? Created { get; init; }

    public string? LimitedBy { get; init; }

    /// <summary>Reads a line that is known to be a record.</summary>
    /// <param name="record">The line.</param>
    /// <param name="line">Its number, from 1.</param>
    /// <param name="succeeded">Whether it is a success.</param>
    public static ReportRow Read(JsonElement record, long line, bool succeeded)
    {
        JsonElement response = Text.Member(record, "response") ?? default;
        JsonElement body = Text.Member(response, "body") ?? default;
        JsonElement own = Text.Member(record, "fastllm") ?? default;
        JsonElement usage = Text.Member(body, "usage") ?? default;
        JsonElement error = Text.Member(record, "error") ?? Text.Member(body, "error") ?? default;
        long? status = Text.Number(response, "status_code");
        return new ReportRow
        {
            Line = line,
            Id = Text.Of(record, "custom_id") ?? "",
            Succeeded = succeeded,
            FinishReason = succeeded ? EndOf(body) : "",
            Failure = succeeded ? "" : Text.Of(own, "failure") ?? CodeOf(error) ?? (status is { } code ? string.Create(CultureInfo.InvariantCulture, $"http_{code}") : "unknown"),
            Words = succeeded ? AnswerText.Of(body) : Text.Of(own, "message") ?? Text.Of(error, "message") ?? Text.Of(error) ?? "",
            Model = Text.Of(body, "model") ?? "",
            Metadata = Text.Member(own, "metadata")?.GetRawText(),
            IsOwn = own.ValueKind == JsonValueKind.Object,
            IsCached = Text.Member(own, "cached")?.ValueKind == JsonValueKind.True,
            IsShared = Text.Member(own, "shared")?.ValueKind == JsonValueKind.True,
            Status = status,
            Attempts = Text.Number(own, "attempts"),
            Latency = Text.Number(own, "latency_ms"),
            PromptTokens = Text.Number(usage, "prompt_tokens") ?? Text.Number(usage, "input_tokens"),
            CompletionTokens = Text.Number(usage, "completion_tokens") ?? Text.Number(usage, "output_tokens"),
            MaybeBilled = Text.Number(own, "maybe_billed"),
            Cost = Text.Member(own, "cost") is { } cost ? Money(cost) : null,
            At = DateTimeOffset.TryParse(Text.Of(own, "at"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTimeOffset at) ? at : null,
            Created = (Text.Number(body, "created") ?? Text.Number(body, "created_at")) is { } seconds and > 0 and < 100_000_000_000 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null,
            LimitedBy = Text.Of(own, "limited_by"),
        };
    }

    // The first choice's; a responses object has a status and, where it was cut, a reason.
    private static string EndOf(JsonElement body)
    {
        if (Text.Member(body, "choices") is { ValueKind: JsonValueKind.Array } choices && choices.GetArrayLength() > 0)
        {
            return Text.Of(choices[0], "finish_reason") ?? "";
        }

        return Text.Of(Text.Member(body, "incomplete_details") ?? default, "reason") ?? Text.Of(body, "status") ?? "";
    }

    private static string? CodeOf(JsonElement error) => Text.Of(error, "code") ?? Text.Of(error, "type");

    private static decimal? Money(JsonElement cost) => cost.ValueKind switch
    {
        JsonValueKind.Number when cost.TryGetDecimal(out decimal number) && Math.Abs(number) < Most => number,
        JsonValueKind.String when decimal.TryParse(Text.Of(cost), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number) && Math.Abs(number) < Most => number,
        _ => null,
    };
}
