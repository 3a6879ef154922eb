using System.Net.Http.Headers;
using System.Text.Json.Serialization.Metadata;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.Retries;
using Microsoft.Extensions.Logging;

namespace FastLLM;

/// <summary>Base class for LLM providers. The manager adds caching, sharing, limits, retries and progress.</summary>
/// <remarks>
/// <para>To implement: <see cref="GetRequestHeaders"/> and <see cref="MakeRequestAsync"/>. An <see cref="LlmException"/>
/// (see <see cref="LlmException.From(HttpResponseMessage, string)"/>), an <see cref="HttpRequestException"/> or a
/// <see cref="TimeoutException"/> goes through the failure table; any other exception fails the row at once.</para>
/// <para>For a cache, responses are converted to bytes and back: built in for <see cref="string"/>, <c>byte[]</c> and
/// <see cref="LlmResponse"/>; for other types pass a <see cref="JsonTypeInfo{T}"/>, or override <see cref="Write"/> and
/// <see cref="Read"/>.</para>
/// <para>Implementations must be safe for concurrent use.</para>
/// </remarks>
/// <typeparam name="TResponse">The type of a response.</typeparam>
public abstract class Provider<TResponse>
{
    // The attempt of the present send, for providers that call Observe without it.
    private static readonly AsyncLocal<Attempt?> s_present = new();

    private readonly ResponseFormat<TResponse> _format;
    private string? _cacheScope;

    /// <summary>Creates a provider.</summary>
    /// <param name="apiKey">The key, or an empty string if none is needed. White space around it is removed.</param>
    /// <param name="apiBase">The base URL, such as <c>https://api.openai.com/v1</c>.</param>
    /// <param name="headers">Additional headers, if any.</param>
    /// <param name="typeInfo">The conversion of a response to bytes for the cache; needed only for types without a built-in one.</param>
    /// <exception cref="ArgumentException">The key or a header has characters that a header cannot carry (the message does not repeat it),
    /// or the base URL is not an http(s) address.</exception>
    protected Provider(string apiKey, string apiBase, IReadOnlyDictionary<string, string>? headers = null,
        JsonTypeInfo<TResponse>? typeInfo = null)
    {
        ArgumentNullException.ThrowIfNull(apiKey);
        ApiKey = HeaderText.CheckKey(apiKey.Trim());
        ApiBase = BaseAddress.Normalise(apiBase);
        Headers = HeaderText.Check(headers ?? new Dictionary<string, string>());
        _format = ResponseFormat<TResponse>.For(typeInfo);
    }

    /// <summary>Gets the key. It is never written to a log, cache, error or output.</summary>
    protected string ApiKey { get; }

    /// <summary>Gets the base URL, without a slash at its end.</summary>
    protected string ApiBase { get; }

    /// <summary>Gets the additional headers.</summary>
    protected IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>Gets the scope of cache entries: an entry of one scope is never used for another.</summary>
    /// <value>The default is the normalized base URL. Never include the key.</value>
    public virtual string CacheScope => _cacheScope ??= BaseAddress.Scope(ApiBase);

    /// <summary>Gets the provider as telemetry names it.</summary>
    internal ProviderIdentity Identity => ProviderIdentity.Of(new Uri(ApiBase), TelemetryName);

    /// <summary>Gets the name for telemetry, unless the host is well known.</summary>
    internal virtual string TelemetryName => GetType().Name.Split('`')[0];

    /// <summary>Gets a value indicating whether responses can be converted to bytes, which a cache needs.</summary>
    internal bool CanBeCached => _format.IsKnown || OverridesFormat;

    /// <summary>Occurs when headers are observed; the rate limiters of the managers that use this provider listen.</summary>
    internal event Action<HttpResponseHeaders, Attempt?>? Observed;

    private bool OverridesFormat => new Func<ReadOnlyMemory<byte>, TResponse>(Read).Method.DeclaringType != typeof(Provider<TResponse>);

    /// <summary>Gets the headers of a request, credentials included. Called for every send, so that a rotated key takes effect.</summary>
    /// <returns>Names and values, which are checked before they are sent.</returns>
    public abstract IReadOnlyDictionary<string, string> GetRequestHeaders();

    /// <summary>Sends a request once and reads the response.</summary>
    /// <param name="client">The client to send with: shared, without a timeout or base address, and without redirects.</param>
    /// <param name="request">The request.</param>
    /// <param name="timeout">The timeout of this attempt; <paramref name="cancellationToken"/> is canceled when it is over.</param>
    /// <param name="cancellationToken">Canceled at the timeout, or when no caller waits for the response any more.</param>
    /// <returns>The response.</returns>
    public abstract Task<TResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout,
        CancellationToken cancellationToken = default);

    /// <summary>Converts a response to the bytes that a cache stores.</summary>
    /// <param name="response">The response.</param>
    /// <returns>The bytes, which must not change afterwards.</returns>
    /// <exception cref="NotSupportedException">The type has no known conversion; pass a <see cref="JsonTypeInfo{T}"/> or override this
    /// method.</exception>
    public virtual ReadOnlyMemory<byte> Write(TResponse response) => _format.Write(response);

    /// <summary>Converts bytes from a cache to a response.</summary>
    /// <param name="bytes">The bytes that <see cref="Write"/> returned, in this release or an earlier one.</param>
    /// <exception cref="NotSupportedException">The type has no known conversion; pass a <see cref="JsonTypeInfo{T}"/> or override this
    /// method.</exception>
    public virtual TResponse Read(ReadOnlyMemory<byte> bytes) => _format.Read(bytes);

    /// <summary>Gets the token usage of a response, for the statistics.</summary>
    /// <param name="response">The response.</param>
    /// <returns>The usage; <see langword="null"/> if it is unknown, the default for types other than <see cref="LlmResponse"/>.</returns>
    public virtual Usage? GetUsage(TResponse response) => (response as LlmResponse)?.Usage;

    /// <summary>Gets the cost of a response, for the statistics.</summary>
    /// <param name="response">The response.</param>
    /// <returns>US dollars; <see langword="null"/>, the default, if the cost is unknown. An amount below 0 or above a billion counts as
    /// unknown.</returns>
    public virtual decimal? GetCost(TResponse response) => null;

    /// <summary>Passes the headers of a response to the manager, which delays further sends if they request it (<c>Retry-After</c>), and
    /// corrects its limits downwards if they say that less is left. Call it from <see cref="MakeRequestAsync"/>, also for successful
    /// responses.</summary>
    /// <param name="headers">The headers of the response.</param>
    protected void Observe(HttpResponseHeaders headers)
    {
        ArgumentNullException.ThrowIfNull(headers);
        Observed?.Invoke(headers, s_present.Value);
    }

    /// <summary>Passes headers, for a provider that knows its attempt.</summary>
    private protected void Observe(HttpResponseHeaders headers, Attempt? attempt) => Observed?.Invoke(headers, attempt);

    /// <summary>Gets why a request cannot be sent at all, before it joins an in-flight request; <see langword="null"/> if it can.</summary>
    internal virtual LlmException? Refuse(LlmRequest request) => null;

    /// <summary>Sends a request once. Built-in providers override it with less overhead; for others it calls <see cref="MakeRequestAsync"/>
    /// and converts exceptions to failures.</summary>
    internal virtual async ValueTask<Reply<TResponse>> SendAsync(LlmRequest request, Attempt attempt)
    {
        // A separate token: registrations of the provider must not outlive the send, and the attempt's token is reused.
        using var own = CancellationTokenSource.CreateLinkedTokenSource(attempt.Token);
        try
        {
            s_present.Value = attempt;
            attempt.NoteSent();

            // A provider that ignores its token must not hold up the row indefinitely.
            Task<TResponse> call = MakeRequestAsync(attempt.Transport.Client, request, attempt.Timeout, own.Token);
            TResponse response = await call.WaitAsync(own.Token).ConfigureAwait(false);
            return response is null
                ? new Reply<TResponse>(new LlmException(FailureKind.Provider, "The provider returned null."))
                : new Reply<TResponse>(response, UsageOf(response, attempt.Transport.Logger));
        }
        catch (Exception e) when (attempt.Token.IsCancellationRequested || (e is OperationCanceledException && attempt.IsNearItsEnd))
        {
            return new Reply<TResponse>(attempt.Ended(e, maybeBilled: true));
        }
        catch (Exception e)
        {
            LlmException failure = LlmException.FromException(e);
            return new Reply<TResponse>(
                failure.WithMaybeBilled(failure.MaybeBilled
                    || (failure.Kind is FailureKind.Timeout or FailureKind.ConnectionLost && NotSentException.Find(e) is null)));
        }
    }

    /// <summary>Converts bytes from a cache to a response. An exception of <see cref="Read"/> becomes a failure of the row, since the
    /// cache itself works.</summary>
    internal TResponse ReadCached(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return Read(bytes);
        }
        catch (Exception e)
        {
            throw new LlmException(
                FailureKind.Provider, $"The provider's Read failed for the answer in the cache: {e.GetType().Name}: {e.Message}", e);
        }
    }

    /// <summary>Gets the usage of a response from a cache, unless the response tells it itself.</summary>
    internal Usage? UsageOfCached(TResponse response, ILogger logger) => response is LlmResponse ? null : UsageOf(response, logger);

    /// <summary>Gets the usage of a response that is there and paid for, so that unknown usage is not an error.</summary>
    private Usage? UsageOf(TResponse response, ILogger logger)
    {
        try
        {
            return GetUsage(response);
        }
        catch (Exception e)
        {
            logger.UsageUnknown(e);
            return null;
        }
    }
}
