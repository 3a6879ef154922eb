using System.Globalization;
using System.Text.RegularExpressions;

namespace FastLLM.Retries;

/// <summary>What the engine does about a failed attempt.</summary>
internal enum FailureAction
{
    /// <summary>Send again, up to the request's number of attempts.</summary>
    Retry,

    /// <summary>Send again, however often it takes within the time allowed for waits: throttling is no failure of the request.</summary>
    Wait,

    /// <summary>This request has failed; the others go on.</summary>
    FailRow,

    /// <summary>Nothing more can succeed: stop the run.</summary>
    StopRun,

    /// <summary>Send again; when the attempts are used up, stop the run.</summary>
    RetryThenStop,
}

/// <summary>The one table from what went wrong to what is done about it. The first row that fits wins.</summary>
internal static partial class FailureTable
{
    /// <summary>Names the failure behind an HTTP status and an error body, whoever the provider is.</summary>
    public static FailureKind Classify(int status, in ErrorBody error) => status switch
    {
        // 200 with an error inside (OpenRouter, Gemini, vLLM): the code in the body is the status that was meant.
        >= 200 and < 300 => MeantStatus(error) is { } meant ? Classify(meant, error) : Worded(error) ?? FailureKind.ServerError,

        >= 300 and < 400 => FailureKind.Redirect,

        // Out of money comes as 429, 402, 403 or 400. It must be told from throttling: waiting does not help.
        _ when IsQuota(error) => FailureKind.QuotaExhausted,
        400 or 403 or 429 when error.Says("reached your specified API usage limits", "credit balance is too low") => FailureKind.QuotaExhausted,
        402 when error.Is("openrouter_in_flight_budget") => FailureKind.RateLimited,
        402 => FailureKind.QuotaExhausted,

        // Google's quota of a day: the short wait that stands beside it is not true.
        429 when error.Says("limit: 0") || error.QuotaIds?.Contains("PerDay", StringComparison.OrdinalIgnoreCase) == true => FailureKind.QuotaExhausted,

        413 => FailureKind.RequestTooLarge,
        429 when NeverFits(error) => FailureKind.RequestTooLarge,

        // Throttling: the request is good, the moment is not.
        429 or 498 => FailureKind.RateLimited,
        503 or 529 => FailureKind.Overloaded,
        524 => FailureKind.ServerError,

        401 => FailureKind.Authentication,
        403 when Worded(error) == FailureKind.ContentFilter || error.Says("moderation", "flagged") => FailureKind.ContentFilter,
        403 => FailureKind.PermissionDenied,
        404 when error.Is("model_not_found") || (error.Says("model") && error.Says("not found", "does not exist", "not exist", "no access")) => FailureKind.ModelNotFound,
        404 => FailureKind.NotFound,

        408 or 409 => FailureKind.ServerConflict,
        >= 400 and < 500 => Worded(error) ?? FailureKind.InvalidRequest,
        _ => FailureKind.ServerError,
    };

    /// <summary>What is done about a failure of <paramref name="kind"/>.</summary>
    public static FailureAction ActionOn(FailureKind kind) => kind switch
    {
        FailureKind.RateLimited or FailureKind.Overloaded or FailureKind.ConnectionRefused => FailureAction.Wait,

        FailureKind.ServerError or FailureKind.ServerConflict or FailureKind.ConnectionLost or FailureKind.Timeout
            or FailureKind.IncompleteResponse or FailureKind.InvalidResponse => FailureAction.Retry,

        FailureKind.NameNotResolved => FailureAction.RetryThenStop,

        FailureKind.Authentication or FailureKind.PermissionDenied or FailureKind.QuotaExhausted or FailureKind.ModelNotFound or FailureKind.DailyLimit
            or FailureKind.Certificate or FailureKind.Cache or FailureKind.Output => FailureAction.StopRun,

        _ => FailureAction.FailRow,
    };

    /// <summary>What a person can do about a failure that stops a run.</summary>
    public static string Remedy(FailureKind kind) => kind switch
    {
        FailureKind.Authentication => "Check the API key, then run the same batch again.",
        FailureKind.PermissionDenied => "Give the key the permission that is missing, or use another key, then run the same batch again.",
        FailureKind.QuotaExhausted => "Add credit or raise the spend limit at the provider, then run the same batch again.",
        FailureKind.DailyLimit => "Run the same batch again when the day is over, or tell a higher limit.",
        FailureKind.ModelNotFound => "Check the model's name and that the account may use it, then run the same batch again.",
        FailureKind.NameNotResolved => "Check the base URL and the network, then run the same batch again.",
        FailureKind.Certificate => "Check the base URL, or install the certificate authority that signed the server's certificate.",
        FailureKind.Output => "Make room for the output, or give it to a place that can be written, then run the same command again.",
        FailureKind.Cache => "Make the cache readable and writable again (space, permissions), then run the same batch again.",
        _ => "Mend the cause, then run the same batch again.",
    };

    private static bool IsQuota(in ErrorBody error) => error.Is(
        "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded", "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded", "enforced_spend_limit_reached", "billing_error", "billing_hard_limit_reached");

    private static FailureKind? Worded(in ErrorBody error) => error switch
    {
        _ when IsQuota(error) => FailureKind.QuotaExhausted,
        _ when error.Is("context_length_exceeded", "exceed_context_size_error")
            || error.Says("maximum context length", "context window", "context length of", "prompt is too long") => FailureKind.ContextLength,
        _ when error.Is("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "moderation_blocked") => FailureKind.ContentFilter,
        _ when error.Is("model_not_found") => FailureKind.ModelNotFound,
        _ when error.Is("invalid_api_key", "authentication_error") => FailureKind.Authentication,
        _ when error.Is("overloaded_error", "server_is_overloaded", "provider_unavailable", "unavailable_error") => FailureKind.Overloaded,
        _ when error.Is("rate_limit_error", "rate_limit_exceeded", "rate_limited") => FailureKind.RateLimited,
        _ => null,
    };

    private static int? MeantStatus(in ErrorBody error) =>
        int.TryParse(error.Code, NumberStyles.None, CultureInfo.InvariantCulture, out int status) && status is >= 400 and < 600 ? status : null;

    // "Request too large for model … Limit 8000, Requested 10098": however long one waits, it will not fit.
    private static bool NeverFits(in ErrorBody error)
    {
        if (error.Message is null)
        {
            return false;
        }

        Match match = LimitAndRequested().Match(error.Message.Length > 2048 ? error.Message[..2048] : error.Message);
        return match.Success
            && long.TryParse(match.Groups["limit"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out long limit)
            && long.TryParse(match.Groups["requested"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out long requested)
            && requested > limit;
    }

    // No match timeout: the text is short and the pattern bounded, and a busy machine must not make a failure of it.
    [GeneratedRegex(@"Limit:?\s+(?<limit>\d{1,15})\b.{0,60}?Requested:?\s+(?<requested>\d{1,15})\b", RegexOptions.CultureInvariant)]
    private static partial Regex LimitAndRequested();
}
