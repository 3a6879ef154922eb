using System.Globalization;
using System.Text.RegularExpressions;

namespace FastLLM.Retries;

/// <summary>The one table from a provider's response to a failure kind. The first match wins; <see cref="FailureRows"/> says what is done
/// then.</summary>
internal static partial class FailureTable
{
    /// <summary>Classifies an HTTP status and an error body, for all providers.</summary>
    public static FailureKind Classify(int status, in ErrorBody error) => status switch
    {
        // 200 with an error inside (OpenRouter, Gemini, vLLM): the code in the body is the status that was meant.
        >= 200 and < 300 => MeantStatus(error) is { } meant ? Classify(meant, error) : Worded(error) ?? FailureKind.ServerError,

        >= 300 and < 400 => FailureKind.Redirect,

        // Out of money comes as 429, 402, 403 or 400. It differs from throttling: waiting does not help.
        _ when IsQuota(error) => FailureKind.QuotaExhausted,
        400 or 403 or 429 when error.Says("reached your specified API usage limits", "credit balance is too low",
            "used all available credits", "monthly spending limit")
            => FailureKind.QuotaExhausted,
        402 when error.Is("openrouter_in_flight_budget") => FailureKind.RateLimited,
        402 => FailureKind.QuotaExhausted,

        // Google's quota of a day: the short wait that comes with it is not true. A limit of 0 is no quota at all.
        429 when error.Says("limit: 0") => FailureKind.QuotaExhausted,
        429 when error.QuotaIds?.Contains("PerDay", StringComparison.OrdinalIgnoreCase) == true
            || error.Says("free-models-per-day")
            => FailureKind.DailyLimit,

        413 => FailureKind.RequestTooLarge,
        429 when NeverFits(error) => FailureKind.RequestTooLarge,

        // Throttling: the request is good, the moment is not.
        429 or 498 => FailureKind.RateLimited,
        503 or 529 => FailureKind.Overloaded,
        524 => FailureKind.ServerError,

        401 => FailureKind.Authentication,
        403 when Worded(error) == FailureKind.ContentFilter || error.Says("moderation", "flagged") => FailureKind.ContentFilter,
        403 => FailureKind.PermissionDenied,
        404 when Worded(error) == FailureKind.ModelNotFound
            || (error.Says("model") && error.Says("not found", "does not exist", "not exist", "no access"))
            || error.Begins("model:", "No endpoints found for ") => FailureKind.ModelNotFound,
        404 => FailureKind.NotFound,

        408 or 409 or 425 => FailureKind.ServerConflict,
        >= 400 and < 500 => Worded(error) ?? FailureKind.InvalidRequest,
        _ => FailureKind.ServerError,
    };

    /// <summary>What is done about a failure of <paramref name="kind"/>.</summary>
    public static FailureAction ActionOn(FailureKind kind) => FailureRows.Of(kind).Action;

    /// <summary>What is done about a failure. The provider's word (<c>x-should-retry</c>) wins over the table, but makes no retry of a
    /// stop.</summary>
    public static FailureAction ActionOn(LlmException failure) => (ActionOn(failure.Kind), failure.ShouldRetry) switch
    {
        (FailureAction.FailRow, true) when failure.StatusCode is not null => FailureAction.Retry,
        (FailureAction.Retry or FailureAction.Wait, false) => FailureAction.FailRow,
        (FailureAction.RepeatThenFailOrStop or FailureAction.RetryThenFailOrStop, false) => FailureAction.FailOrStop,
        (var action, _) => action,
    };

    /// <summary>Whether such failures, one after the other, say that the provider is down, rather than that the request is bad or too
    /// much.</summary>
    public static bool IsOutage(FailureKind kind) =>
        kind is FailureKind.Overloaded or FailureKind.ServerError or FailureKind.ConnectionRefused or FailureKind.ConnectionLost;

    /// <summary>What a person can do about a failure that stops a run.</summary>
    public static string Remedy(FailureKind kind) => FailureRows.Of(kind).Remedy ?? "Mend the cause, then run the same batch again.";

    /// <inheritdoc cref="Remedy(FailureKind)"/>
    public static string Remedy(LlmException cause) => (cause.FailureScope, FailureRows.Of(cause.Kind).Remedy) switch
    {
        (FailureScope.Run, null) when !IsOutage(cause.Kind) || cause.Kind == FailureKind.ServerError =>
            "Mend what all requests have in common (a parameter, the endpoint, the base URL), "
            + "then run the same batch again: those rows are asked again. "
            + "If only these rows are bad, allow all failures (MaxErrorShare = 1, --max-errors 100%).",
        (FailureScope.Run, null) => "Run the same batch again when the provider is up.",
        _ => Remedy(cause.Kind),
    };

    /// <summary>Returns a message with a full stop at its end, so that another sentence can follow. Providers often send none.</summary>
    public static string Sentence(string message) => message is "" or [.., '.' or '!' or '?'] ? message : message + ".";

    private static bool IsQuota(in ErrorBody error) => error.Is(
        "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded", "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded", "enforced_spend_limit_reached", "billing_error", "billing_hard_limit_reached");

    private static FailureKind? Worded(in ErrorBody error) => error switch
    {
        _ when IsQuota(error) => FailureKind.QuotaExhausted,
        _ when error.Is("context_length_exceeded", "exceed_context_size_error")
            || error.Says("maximum context length", "context window", "context length of", "prompt is too long")
            => FailureKind.ContextLength,
        _ when error.Is("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "moderation_blocked")
            => FailureKind.ContentFilter,
        _ when NamesNoModel(error) => FailureKind.ModelNotFound,
        _ when error.Is("invalid_api_key", "authentication_error") || error.Says("API key not valid") => FailureKind.Authentication,
        _ when error.Is("overloaded_error", "server_is_overloaded", "provider_unavailable", "unavailable_error") => FailureKind.Overloaded,
        _ when error.Is("rate_limit_error", "rate_limit_exceeded", "rate_limited") => FailureKind.RateLimited,
        _ => null,
    };

    // Many servers say it with a 400, and some in a message only.
    private static bool NamesNoModel(in ErrorBody error) =>
        error.Is(
            "model_not_found", "model_decommissioned", "model_not_available", "model_not_supported", "invalid_model", "DeploymentNotFound")
        || error.Says("is not a valid model ID", "Model Not Exist", "invalid model ID", "Invalid model name", "could not find real modelID")
        || (error.Begins("model ", "the model ", "the requested model ") && error.Says("not found", "does not exist"));

    private static int? MeantStatus(in ErrorBody error) =>
        int.TryParse(error.Code, NumberStyles.None, CultureInfo.InvariantCulture, out int status)
            && status is >= 400 and < 600 ? status : null;

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
