using FastLLM.Providers;
using Microsoft.Extensions.Logging;

namespace FastLLM.Diagnostics;

/// <summary>Every log message of the engine. Numbers and names are a published contract: never renumber, never reuse.</summary>
/// <remarks>Prompts and answers are never logged above Trace, keys never at all.</remarks>
internal static partial class Log
{
    // 1xx input, 2xx cache and in flight, 3xx admission, 4xx send and retry, 5xx record and output
    [LoggerMessage(201, LogLevel.Error, "The cache failed; the run stops before it pays for more.", EventName = "CacheFailed")]
    internal static partial void CacheFailed(this ILogger logger, Exception exception);

    [LoggerMessage(301, LogLevel.Information, "The provider asks to wait {Wait}; nothing is sent until then.", EventName = "ProviderPause")]
    internal static partial void ProviderPause(this ILogger logger, TimeSpan wait);

    [LoggerMessage(302, LogLevel.Warning,
        "The provider is down for model {Model} ({Failure}). "
            + "One request at a time asks whether it is up again, every 5 s at first, later every minute; the others wait, and none of them fails.",
        EventName = "ProviderDown")]
    internal static partial void ProviderDown(this ILogger logger, string model, FailureKind failure);

    [LoggerMessage(303, LogLevel.Warning, "The provider is up again for model {Model}.", EventName = "ProviderUp")]
    internal static partial void ProviderUp(this ILogger logger, string model);

    [LoggerMessage(304, LogLevel.Warning,
        "At most {Ceiling} requests are in flight at once instead of {Concurrency}: each needs a file descriptor, and the process may have "
            + "{Limit}. To allow more, raise the limit (ulimit -n).",
        EventName = "ConcurrencyLowered")]
    internal static partial void ConcurrencyLowered(this ILogger logger, int ceiling, int concurrency, int limit);

    [LoggerMessage(401, LogLevel.Debug,
        "Request {RequestId}: send {Attempt} failed ({Failure}); next send in {Delay}.",
        EventName = "RetryScheduled")]
    internal static partial void RetryScheduled(
        this ILogger logger, RequestKey requestId, int attempt, FailureKind failure, TimeSpan delay);

    [LoggerMessage(402, LogLevel.Warning,
        "Model {Model} refuses a temperature. From now on it is omitted unless it was set explicitly.",
        EventName = "TemperatureRefused")]
    internal static partial void TemperatureRefused(this ILogger logger, string model);

    [LoggerMessage(403, LogLevel.Information,
        "Request {RequestId} failed after {Attempts} sends ({Failure}).",
        EventName = "RequestFailed")]
    internal static partial void RequestFailed(this ILogger logger, RequestKey requestId, int attempts, FailureKind failure);

    [LoggerMessage(404, LogLevel.Warning,
        "How many tokens an answer took is not known: the provider's GetUsage failed.",
        EventName = "UsageUnknown")]
    internal static partial void UsageUnknown(this ILogger logger, Exception exception);

    [LoggerMessage(405, LogLevel.Debug,
        "Request {RequestId} was answered by {Model} after {Attempts} sends; the last one took {Latency}.",
        EventName = "RequestAnswered")]
    internal static partial void RequestAnswered(this ILogger logger, RequestKey requestId, string? model, int attempts, TimeSpan latency);

    [LoggerMessage(202, LogLevel.Debug,
        "Request {RequestId} for {Model} was answered without a send (from the cache: {Cached}).",
        EventName = "RequestReused")]
    internal static partial void RequestReused(this ILogger logger, RequestKey requestId, string? model, bool cached);

    [LoggerMessage(421, LogLevel.Warning,
        "Model {Model} does not stream ({Reason}). It is asked without a stream from now on.",
        EventName = "StreamRefused")]
    internal static partial void StreamRefused(this ILogger logger, string model, string reason);

    [LoggerMessage(422, LogLevel.Warning,
        "Model {Model} refuses stream_options. From now on it is omitted; streams of this model may not report token usage.",
        EventName = "StreamOptionsRefused")]
    internal static partial void StreamOptionsRefused(this ILogger logger, string model);

    [LoggerMessage(423, LogLevel.Warning,
        "The server sent a response that was not requested. From now on each connection carries one request, so that no response is taken "
            + "for another request's.",
        EventName = "UnrequestedResponse")]
    internal static partial void UnrequestedResponse(this ILogger logger);

    [LoggerMessage(424, LogLevel.Warning,
        "The server closes connections after a response without saying so, and requests are lost. From now on each connection carries one "
            + "request.",
        EventName = "ConnectionsCloseEarly")]
    internal static partial void ConnectionsCloseEarly(this ILogger logger);

    [LoggerMessage(503, LogLevel.Warning,
        "An answer cannot be kept in the cache, since the provider's Write failed; it is handed out, and paid for again when asked again.",
        EventName = "AnswerNotKept")]
    internal static partial void AnswerNotKept(this ILogger logger, Exception exception);

    [LoggerMessage(502, LogLevel.Warning, "What an answer cost is not known: the provider's GetCost failed.", EventName = "CostUnknown")]
    internal static partial void CostUnknown(this ILogger logger, Exception exception);

    [LoggerMessage(504, LogLevel.Warning,
        "Model {Model}: an answer states no plausible token usage. "
            + "It stays charged with its worst case, {Charge}, and so do others like it.",
        EventName = "UsageNotPlausible")]
    internal static partial void UsageNotPlausible(this ILogger logger, string? model, string charge);

    [LoggerMessage(505, LogLevel.Warning,
        "Model {Model}: an answer cost {Cost}, more than its worst case of {WorstCase}. "
            + "It is charged, and more is reserved for the next requests.",
        EventName = "WorstCaseExceeded")]
    internal static partial void WorstCaseExceeded(this ILogger logger, string? model, string cost, string worstCase);

    [LoggerMessage(501, LogLevel.Error, "The run stops: {Reason}", EventName = "RunStopped")]
    internal static partial void RunStopped(this ILogger logger, string reason);
}
