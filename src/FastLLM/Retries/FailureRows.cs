using FastLLM.Pipeline;

namespace FastLLM.Retries;

/// <summary>One row of the table of failures.</summary>
/// <param name="Kind">The kind of failure.</param>
/// <param name="Action">What is done about it.</param>
/// <param name="When">How it shows, for a person.</param>
/// <param name="Remedy">What a person can do, where it stops a run.</param>
internal sealed record FailureRow(FailureKind Kind, FailureAction Action, string When, string? Remedy = null);

/// <summary>The one table from a failure kind to the action that follows; <c>docs/failures.md</c> shows the same rows.</summary>
internal static class FailureRows
{
    /// <summary>All rows, in the order in which people read them.</summary>
    public static IReadOnlyList<FailureRow> All { get; } =
    [
        new(FailureKind.RateLimited, FailureAction.Wait, "429, 498, or 402 for a budget in flight"),
        new(FailureKind.Overloaded, FailureAction.Wait, "503, 529"),
        new(FailureKind.ConnectionRefused, FailureAction.Wait, "connection refused"),
        new(FailureKind.TooManyOpenFiles, FailureAction.Wait, "no file descriptor is left for a connection; nothing was sent"),
        new(FailureKind.ServerError, FailureAction.Retry, "500, 502, 504, 524, other 5xx"),
        new(FailureKind.ServerConflict, FailureAction.Retry, "408, 409, 425"),
        new(FailureKind.ConnectionLost, FailureAction.Retry, "connection lost before any of the response has arrived"),
        new(FailureKind.Timeout, FailureAction.Retry, "timeout"),
        new(FailureKind.IncompleteResponse, FailureAction.Retry,
            "truncated response (also by a lost connection), or one without its terminal field; a stream in which a choice has no `finish_reason`"),
        new(FailureKind.InvalidResponse, FailureAction.Retry,
            "response empty, HTML, compressed, or not JSON; a stream with an event that is not JSON"),
        new(FailureKind.InvalidRequest, FailureAction.FailRow, "400, 422, other 4xx"),
        new(FailureKind.ContextLength, FailureAction.FailRow, "prompt too long"),
        new(FailureKind.ContentFilter, FailureAction.FailRow, "content filter, moderation"),
        new(FailureKind.RequestTooLarge, FailureAction.FailRow, "413, or a 429 for a request that exceeds a limit by itself"),
        new(FailureKind.NotFound, FailureAction.FailRow, "404 that does not mention a model"),
        new(FailureKind.InvalidAnswer, FailureAction.FailRow,
            "the answer does not pass its check (`--labels`, `--fields`, `--schema`, typed answers), and neither does its correction"),
        new(FailureKind.ResponseTooLarge, FailureAction.FailRow,
            "response larger than `MaxResponseBytes`, or a line or an event of a stream larger than 8 MB"),
        new(FailureKind.Redirect, FailureAction.FailRow, "3xx; redirects are never followed"),
        new(FailureKind.NotSupported, FailureAction.FailRow,
            "`stream: true` for an endpoint without streams (embeddings), `background: true` for `/v1/responses`"),
        new(FailureKind.CostUnbounded, FailureAction.FailRow, "with a budget: the cost of the request has no upper bound; not sent"),
        new(FailureKind.Provider, FailureAction.FailRow, "exception in a custom provider, also in its `Read` for an answer in the cache"),
        new(FailureKind.Unknown, FailureAction.FailRow, "`LlmException` of a custom provider without a kind"),
        new(FailureKind.NotSent, FailureAction.FailRow, "the run ended first"),
        new(FailureKind.Canceled, FailureAction.FailRow,
            "canceled in flight",
            "Run the same batch again: what was answered is not sent again."),
        new(FailureKind.Authentication, FailureAction.RepeatThenFailOrStop,
            "401, at the first send or later (a revoked key)",
            "Check the API key, then run the same batch again."),
        new(FailureKind.PermissionDenied, FailureAction.RepeatThenFailOrStop,
            "403",
            "Grant the missing permission to the key, or use another key, then run the same batch again."),
        new(FailureKind.QuotaExhausted, FailureAction.RepeatThenFailOrStop,
            "402, `insufficient_quota`, spend limits, a limit of 0",
            "Add credit or raise the spend limit at the provider, then run the same batch again."),
        new(FailureKind.ModelNotFound, FailureAction.FailOrStop,
            "model not found",
            "Check the model's name and that the account may use it, then run the same batch again."),
        new(FailureKind.BudgetExhausted, FailureAction.StopRun,
            "the rest of the budget (`Budget`, `--max-cost`) does not cover the worst case of the next request",
            "Raise the budget, then run the same batch again. Responses so far are kept."),
        new(FailureKind.DailyLimit, FailureAction.FailOrStop,
            "daily limit reached, of the provider or configured (`RequestsPerDay`, `--rpd`), and not renewed within an hour",
            "Run the same batch again when the limit is renewed, or configure a higher limit."),
        new(FailureKind.Certificate, FailureAction.FailOrStop,
            "untrusted certificate",
            "Check the base URL, or install the certificate authority that signed the server's certificate."),
        new(FailureKind.Output, FailureAction.StopRun,
            "the output cannot be written",
            "Make the output writable again (space, permissions, its folder), then run the same command again."),
        new(FailureKind.Cache, FailureAction.StopRun,
            "the cache cannot be read or written",
            "Make the cache readable and writable again (space, permissions), then run the same batch again."),
        new(FailureKind.TooManyFailures, FailureAction.StopRun,
            "more failed rows than `MaxErrors` or `MaxErrorShare` allow (`--max-errors`)",
            "Check the failed rows. To continue, raise the limit, or fix the cause and send them again (RetryFailed, --retry-failed)."),
        new(FailureKind.NameNotResolved, FailureAction.RetryThenFailOrStop,
            "host name not resolved",
            "Check the base URL and the network, then run the same batch again."),
    ];

    private static readonly FailureRow?[] s_byKind = ByKind();

    /// <summary>The row of a kind. A number that is no kind gets that of <see cref="FailureKind.Unknown"/>.</summary>
    public static FailureRow Of(FailureKind kind) => ((uint)kind < (uint)s_byKind.Length ? s_byKind[(int)kind] : null) ?? s_byKind[(int)FailureKind.Unknown]!;

    private static FailureRow?[] ByKind()
    {
        var rows = new FailureRow?[All.Max(row => (int)row.Kind) + 1];
        foreach (FailureRow row in All)
        {
            rows[(int)row.Kind] = row;
        }

        return rows;
    }
}
