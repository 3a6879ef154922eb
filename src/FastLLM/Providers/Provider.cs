using System.Net.Http.Headers;
using System.Text.Json.Serialization.Metadata;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.Retries;

namespace FastLLM;

/// <summary>Somebody who answers requests. Derive from it to ask a service of your own; the manager adds cache, sharing, limits, retries and progress.</summary>
/// <remarks>
/// <para>To implement: <see cref="GetRequestHeaders"/> and <see cref="MakeRequestAsync"/>. An <see cref="LlmException"/>
/// (<see cref="LlmException.From(HttpResponseMessage, string)"/> makes one), an <see cref="HttpRequestException"/> or a
/// <see cref="TimeoutException"/> goes through the failure table; any other exception fails the row at once.</para>
/// <para>To be cached, responses are turned into bytes and back: built in for <see cref="string"/>, <c>byte[]</c> and
/// <see cref="LlmResponse"/>; for other types give a <see cref="JsonTypeInfo{T}"/>, or override <see cref="Write"/> and <see cref="Read"/>.</para>
/// <para>Used by many requests at once: implementations must be safe for concurrent use.</para>
/// </remarks>
/// <typeparam name="TResponse">What an answer is.</typeparam>
public abstract class Provider<TResponse>
{
    // Which send a provider of somebody else's observes: it hands over headers and nothing else.
    private static readonly AsyncLocal<Attempt?> s_present = new();

    private readonly ResponseFormat<TResponse> _format;
    private string? _cacheScope;

    /// <summary>Creates a provider.</summary>
    /// <param name="apiKey">The key, or an empty text where none is needed. White space around it is taken off.</param>
    /// <param name="apiBase">The base URL, such as <c>https://api.openai.com/v1</c>.</param>
    /// <param name="headers">Headers to send besides, if any.</param>
    /// <param name="typeInfo">How a response is turned into bytes for the cache; needed only for types that have no built-in way.</param>
    /// <exception cref="ArgumentException">
    /// The key or a header has characters that cannot stand in a header (the message does not repeat it), or the base URL is no http(s) address.
    /// </exception>
    protected Provider(string apiKey, string apiBase, IReadOnlyDictionary<string, string>? headers = null, JsonTypeInfo<TResponse>? typeInfo = null)
    {
        ArgumentNullException.ThrowIfNull(apiKey);
        ApiKey = HeaderText.CheckKey(apiKey.Trim());
        ApiBase = BaseAddress.Normalise(apiBase);
        Headers = HeaderText.Check(headers ?? new Dictionary<string, string>());
        _format = ResponseFormat<TResponse>.For(typeInfo);
    }

    /// <summary>Gets the key. It stands in no log, cache, error or output.</summary>
    protected string ApiKey { get; }

    /// <summary>Gets the base URL, without a slash at its end.</summary>
    protected string ApiBase { get; }

    /// <summary>Gets the headers that the caller wants sent besides.</summary>
    protected IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>Gets the endpoint for which an answer is good: a cache entry of one scope never answers for another.</summary>
    /// <value>The default is the normalised base URL. Never put the key in it.</value>
    public virtual string CacheScope => _cacheScope ??= BaseAddress.Scope(ApiBase);

    /// <summary>Gets a value indicating whether responses can be turned into bytes, which a cache needs.</summary>
    internal bool CanBeCached => _format.IsKnown || OverridesFormat;

    /// <summary>Where <see cref="Observe(HttpResponseHeaders)"/> hands what it reads: the gates of the managers that use this provider.</summary>
    internal event Action<HttpResponseHeaders, Attempt?>? Observed;

    private bool OverridesFormat => new Func<ReadOnlyMemory<byte>, TResponse>(Read).Method.DeclaringType != typeof(Provider<TResponse>);

    /// <summary>Gets the headers of a request, credentials included. Asked at every send, so that a rotated key is picked up.</summary>
    /// <returns>Names and values; checked before they are sent.</returns>
    public abstract IReadOnlyDictionary<string, string> GetRequestHeaders();

    /// <summary>Sends one request, once, and reads the answer.</summary>
    /// <param name="client">Sends it; shared, tuned, without a timeout or base address of its own, and follows no redirects.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="timeout">How long this attempt may take; <paramref name="cancellationToken"/> fires when it is over.</param>
    /// <param name="cancellationToken">Fires when the time is over or nobody waits for the answer any more.</param>
    /// <returns>The answer.</returns>
    public abstract Task<TResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default);

    /// <summary>Turns a response into the bytes that a cache keeps.</summary>
    /// <param name="response">The response.</param>
    /// <returns>Its bytes, which must not change afterwards.</returns>
    /// <exception cref="NotSupportedException">The type has no known form; give a <see cref="JsonTypeInfo{T}"/> or override.</exception>
    public virtual ReadOnlyMemory<byte> Write(TResponse response) => _format.Write(response);

    /// <summary>Turns bytes from a cache into a response.</summary>
    /// <param name="bytes">What <see cref="Write"/> made, in this release or an earlier one.</param>
    /// <exception cref="NotSupportedException">The type has no known form; give a <see cref="JsonTypeInfo{T}"/> or override.</exception>
    public virtual TResponse Read(ReadOnlyMemory<byte> bytes) => _format.Read(bytes);

    /// <summary>Tells how many tokens a response took, for the statistics.</summary>
    /// <param name="response">The response.</param>
    /// <returns>The tokens; <see langword="null"/> where that is not known, which is the default for types other than <see cref="LlmResponse"/>.</returns>
    public virtual Usage? GetUsage(TResponse response) => (response as LlmResponse)?.Usage;

    /// <summary>Tells what a response cost, for the statistics.</summary>
    /// <param name="response">The response.</param>
    /// <returns>US dollars; <see langword="null"/> where that is not known, which is the default.</returns>
    public virtual decimal? GetCost(TResponse response) => null;

    /// <summary>
    /// Hands the headers of an answer to the manager, which holds back further sends where they ask for it (<c>Retry-After</c>), and believes them where
    /// they say that less is left of a limit than it knows. To be called from <see cref="MakeRequestAsync"/>, for good answers too.
    /// </summary>
    /// <param name="headers">The answer's headers.</param>
    protected void Observe(HttpResponseHeaders headers)
    {
        ArgumentNullException.ThrowIfNull(headers);
        Observed?.Invoke(headers, s_present.Value);
    }

    /// <summary>The same for a provider that knows its attempt.</summary>
    private protected void Observe(HttpResponseHeaders headers, Attempt? attempt) => Observed?.Invoke(headers, attempt);

    /// <summary>Says why a request cannot be sent at all, before it joins a flight; <see langword="null"/> where it can.</summary>
    internal virtual LlmException? Refuse(LlmRequest request) => null;

    /// <summary>Sends one request, once. The built-in providers have a leaner way than <see cref="MakeRequestAsync"/>; others have their failures read here.</summary>
    internal virtual async ValueTask<Reply<TResponse>> SendAsync(LlmRequest request, Attempt attempt)
    {
        // A token of its own: what the provider hangs on it must not outlive the send, and the attempt's serves the next one too.
        using var own = CancellationTokenSource.CreateLinkedTokenSource(attempt.Token);
        try
        {
            s_present.Value = attempt;

            // A provider that does not listen to its token must not hold up the row for ever.
            Task<TResponse> call = MakeRequestAsync(attempt.Transport.Client, request, attempt.Timeout, own.Token);
            TResponse response = await call.WaitAsync(own.Token).ConfigureAwait(false);
            return response is null
                ? new Reply<TResponse>(new LlmException(FailureKind.Provider, "The provider returned null."))
                : new Reply<TResponse>(response, UsageOf(response, attempt));
        }
        catch (Exception e) when (attempt.Token.IsCancellationRequested || (e is OperationCanceledException && attempt.IsNearItsEnd))
        {
            return new Reply<TResponse>(attempt.Ended(e, maybeBilled: true));
        }
        catch (Exception e)
        {
            LlmException failure = LlmException.FromException(e);
            return new Reply<TResponse>(failure.WithMaybeBilled(failure.MaybeBilled || failure.Kind is FailureKind.Timeout or FailureKind.ConnectionLost));
        }
    }

    // The answer is there and paid for; how many tokens it took is a lesser matter.
    private Usage? UsageOf(TResponse response, Attempt attempt)
    {
        try
        {
            return GetUsage(response);
        }
        catch (Exception e)
        {
            attempt.Transport.Logger.UsageUnknown(e);
            return null;
        }
    }
}
