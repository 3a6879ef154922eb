using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Retries;

namespace FastLLM;

/// <summary>Represents the failure of one request: what failed, why, and after how many sends.</summary>
/// <remarks>The engine returns it as a value (<see cref="ResponseWrapper.Error"/>); it is thrown only if a missing response is read.
/// Immutable. A provider throws one to report a failure; <see cref="From(HttpResponseMessage, string)"/> makes it from an HTTP answer.
/// Messages and bodies are the provider's own words: treat them as untrusted text. It contains no API key.</remarks>
public class LlmException : Exception
{
    /// <summary>How much of the provider's answer is kept, in UTF-16 units.</summary>
    internal const int BodyCap = 2048;

    // What the engine adds. Never changed: other facts make a copy.
    private EngineFacts _facts;

    /// <summary>Creates a failure.</summary>
    /// <param name="kind">Stage and cause; the engine decides by it what to do.</param>
    /// <param name="message">The message for the user.</param>
    /// <param name="innerException">The exception that caused it, if any.</param>
    public LlmException(FailureKind kind, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Kind = kind;
    }

    /// <summary>Creates a failure of kind <see cref="FailureKind.Unknown"/>.</summary>
    public LlmException()
        : this(FailureKind.Unknown, "The request failed.")
    {
    }

    /// <summary>Creates a failure of kind <see cref="FailureKind.Unknown"/>.</summary>
    /// <param name="message">The message for the user.</param>
    public LlmException(string message)
        : this(FailureKind.Unknown, message)
    {
    }

    /// <summary>Creates a failure of kind <see cref="FailureKind.Unknown"/>.</summary>
    /// <param name="message">The message for the user.</param>
    /// <param name="innerException">The exception that caused it.</param>
    public LlmException(string message, Exception innerException)
        : this(FailureKind.Unknown, message, innerException)
    {
    }

    /// <summary>Gets stage and cause.</summary>
    public FailureKind Kind { get; }

    /// <summary>Gets the HTTP status, or <see langword="null"/> where there was no HTTP answer.</summary>
    public int? StatusCode { get; init; }

    /// <summary>Gets the provider's own code or type for the failure, such as <c>context_length_exceeded</c>.</summary>
    public string? Code { get; init; }

    /// <summary>Gets the beginning of the provider's answer, at most 2,048 characters.</summary>
    public string? Body
    {
        get;
        init => field = value is { Length: > BodyCap } ? value[..BodyCap] : value;
    }

    /// <summary>Gets how long the provider asked to wait before the next send; <see langword="null"/> where it did not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Gets the paid answers that did not pass their check: the first one and, if there is one, its correction. Empty for other
    /// failures.</summary>
    public IReadOnlyList<LlmResponse> Answers { get; init; } = [];

    /// <summary>Gets how many times the request, or the equal one whose attempts it shared, was sent before it was given up.</summary>
    public int Attempts => _facts.Attempts;

    /// <summary>Gets the request parameter that the provider names as the cause, if any.</summary>
    internal string? Parameter { get; init; }

    /// <summary>Gets the tokens that the provider states for the failed attempt, if it states any that are plausible.</summary>
    internal Usage? Usage { get; init; }

    /// <summary>Gets a value indicating whether the failed attempt had sent the whole request, so that it may be billed.</summary>
    internal bool MaybeBilled
    {
        get => _facts.MaybeBilled;
        init => _facts = _facts with { MaybeBilled = value };
    }

    /// <summary>Gets a value indicating whether the provider has learned from the refusal and sends something else next time.</summary>
    internal bool SendAgainChanged => _facts.SendAgainChanged;

    /// <summary>Gets whether the provider says that it should be sent again (<c>x-should-retry</c>); <see langword="null"/> where it does
    /// not say.</summary>
    internal bool? ShouldRetry { get; init; }

    /// <summary>Gets whether others may share the failure; <see langword="null"/> if that was never in question.</summary>
    internal Suspicion? Suspicion => _facts.Suspicion;

    /// <summary>Gets whether the failure affects one request or the whole run.</summary>
    internal FailureScope FailureScope
    {
        get => _facts.Suspicion?.Scope ?? _facts.Scope;
        init => _facts = _facts with { Scope = value };
    }

    /// <summary>Makes a failure of an HTTP answer that is no success, in the terms of the failure table.</summary>
    /// <param name="response">The answer; its status and headers are read, its content is not.</param>
    /// <param name="body">The answer's body, in any of the error forms in use (OpenAI, Anthropic, Gemini, Mistral, Ollama, a proxy's
    /// page).</param>
    /// <returns>The failure, for the provider to throw.</returns>
    /// <exception cref="ArgumentNullException">An argument is <see langword="null"/>.</exception>
    public static LlmException From(HttpResponseMessage response, string body)
    {
        ArgumentNullException.ThrowIfNull(body);
        return From(response, Encoding.UTF8.GetBytes(body));
    }

    /// <inheritdoc cref="From(HttpResponseMessage, string)"/>
    public static LlmException From(HttpResponseMessage response, ReadOnlySpan<byte> body) => From(response, body, now: null);

    /// <summary>The same, with the wall clock by which a date in <c>Retry-After</c> is read.</summary>
    internal static LlmException From(HttpResponseMessage response, ReadOnlySpan<byte> body, DateTimeOffset? now)
    {
        ArgumentNullException.ThrowIfNull(response);
        var status = (int)response.StatusCode;
        var error = ErrorBody.Read(body);
        var kind = FailureTable.Classify(status, error);
        return new LlmException(kind, Describe(status, kind, error, now))
        {
            StatusCode = status,
            Code = error.Code ?? error.Type,
            Body = Encoding.UTF8.GetString(body[..Math.Min(body.Length, BodyCap)]),
            Parameter = error.Parameter,
            RetryAfter = Retries.RetryAfter.Read(response.Headers, error, now),
            ShouldRetry = ShouldRetryOf(response),
            Usage = UsageOf(body),
        };
    }

    /// <inheritdoc cref="ExceptionTable.ToFailure"/>
    internal static LlmException FromException(Exception exception, bool fromOurTransport = false) =>
        ExceptionTable.ToFailure(exception, fromOurTransport);

    /// <summary>Creates a failure that affects the whole run.</summary>
    internal static LlmException OfRun(FailureKind kind, string message) => new(kind, message) { FailureScope = FailureScope.Run };

    /// <summary>Returns the failure as the reason to stop a run, with another message.</summary>
    internal LlmException AsCause(string message) =>
        new(Kind, message, this) { StatusCode = StatusCode, Code = Code, Body = Body, FailureScope = FailureScope.Run };

    /// <summary>Returns the failure of a request that was sent <paramref name="attempts"/> times.</summary>
    internal LlmException WithAttempts(int attempts) => With(_facts with { Attempts = attempts });

    /// <summary>Returns the failure of an attempt that may be billed, or not.</summary>
    internal LlmException WithMaybeBilled(bool maybeBilled) => With(_facts with { MaybeBilled = maybeBilled });

    /// <summary>Returns the failure of an attempt that is repeated at once, since the provider sends something else next time.</summary>
    internal LlmException WithSendAgainChanged() => With(_facts with { SendAgainChanged = true });

    /// <summary>Returns the failure with another scope.</summary>
    internal LlmException WithScope(FailureScope scope) => With(_facts with { Scope = scope, Suspicion = null });

    /// <summary>Returns the failure with the question whether others may share it.</summary>
    internal LlmException WithSuspicion(Suspicion suspicion) => With(_facts with { Suspicion = suspicion });

    /// <summary>Returns the failure with some words replaced in all its texts. The inner exception is dropped, since its texts cannot be
    /// changed.</summary>
    internal LlmException Without(string words, string instead)
    {
        return new LlmException(Kind, Clean(Message)!)
        {
            StatusCode = StatusCode,
            Code = Clean(Code),
            Body = Clean(Body),
            RetryAfter = RetryAfter,
            Parameter = Clean(Parameter),
            ShouldRetry = ShouldRetry,
            Usage = Usage,
            _facts = _facts,
        };

        string? Clean(string? text) => text?.Replace(words, instead, StringComparison.Ordinal);
    }

    // A provider may throw one instance again and again, and its type may be its own: so it is cloned, never changed.
    private LlmException With(EngineFacts facts)
    {
        if (facts == _facts)
        {
            return this;
        }

        var copy = (LlmException)MemberwiseClone();
        copy._facts = facts;
        return copy;
    }

    private static Usage? UsageOf(ReadOnlySpan<byte> body)
    {
        try
        {
            return body.IndexOf("\"usage\""u8) >= 0 && LlmResponse.ToUsage(BodyScan.Read(body)) is { IsPlausible: true } usage
                ? usage : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool? ShouldRetryOf(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues("x-should-retry", out var values)
            && bool.TryParse(values.ToString(), out bool retry) ? retry : null;

    // The reason phrase of the status line is not repeated: it is untrusted text.
    private static string Describe(int status, FailureKind kind, in ErrorBody error, DateTimeOffset? now)
    {
        string said = error.Message ?? ((HttpStatusCode)status).ToString();
        string resumes = kind == FailureKind.DailyLimit && error.QuotaIds is not null && PacificDay.End(now) is { } end
            ? string.Create(
                CultureInfo.InvariantCulture, $" There are more from {end.UtcDateTime:yyyy-MM-dd HH:mm} UTC (midnight Pacific time).")
            : "";
        return string.Create(CultureInfo.InvariantCulture, $"The provider answered {status} ({kind}): {said}{resumes}");
    }

    private readonly record struct EngineFacts(
        int Attempts, bool MaybeBilled, bool SendAgainChanged, FailureScope Scope, Suspicion? Suspicion);
}
