namespace FastLLM;

/// <summary>Represents the outcome of one request: a response or a failure, with the attempts that led to it.</summary>
/// <remarks>Immutable. The generic form, <see cref="ResponseWrapper{TResponse}"/>, has the response in its own type.</remarks>
public abstract class ResponseWrapper
{
    private readonly RequestKey _key;

    // The id as text; or, for a request that was never started, the request: its key may never be needed.
    private object? _id;

    // Boxed: most responses have none, and should not be larger for it.
    private readonly object? _cost;

    private protected ResponseWrapper(RequestKey key, object? id, long orderId, LlmException? error)
    {
        _key = key;
        _id = id;
        OrderId = orderId;
        Error = error;
    }

    /// <summary>Gets the response.</summary>
    /// <exception cref="LlmException">There is none; the exception is <see cref="Error"/>.</exception>
    public object Response => Error is null ? Untyped : throw Error;

    /// <summary>Gets the request's id, by which a cache knows it: 64 hexadecimal digits.</summary>
    public string RequestId
    {
        get
        {
            if (_id is not string id)
            {
                _id = id = _id is LlmRequest request ? KeyOf(request).ToString() : _key.ToString();
            }

            return id;
        }
    }

    /// <summary>Gets the request's key, if its outcome comes from the engine.</summary>
    internal RequestKey Key => _key;

    /// <summary>Gets the request's place in its batch or stream, from 0.</summary>
    public long OrderId { get; }

    /// <summary>Gets a value indicating whether there is a response.</summary>
    public bool IsSuccess => Error is null;

    /// <summary>Gets why there is no response; <see langword="null"/> where there is one.</summary>
    public LlmException? Error { get; private set; }

    /// <summary>Gets the tokens that the answer used when it was made, also for a cached answer; <see langword="null"/> if
    /// unknown.</summary>
    public abstract Usage? Usage { get; }

    /// <summary>Gets a value indicating whether the answer came from the cache, so that nothing was sent.</summary>
    public bool IsCacheHit { get; init; }

    /// <summary>Gets a value indicating whether an equal request's attempts brought the outcome, so that this one was not sent
    /// itself.</summary>
    public bool IsShared { get; init; }

    /// <summary>Gets a value indicating whether the response is the correction of an answer that did not pass its check
    /// (<see cref="AnswerCheck"/>).</summary>
    public bool IsCorrected { get; init; }

    /// <summary>Gets how many times this request was sent; 0 for a cache hit, a shared answer, or one never sent.</summary>
    public int Attempts { get; init; }

    /// <summary>Gets the time from the last send to its end; zero where nothing was sent.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>Gets what the request cost, in US dollars: 0 for a cache hit, a shared answer, or one never sent; under a
    /// <see cref="RequestManagerOptions.Budget"/> with what failed sends of unknown outcome stay charged with.</summary>
    /// <value><see langword="null"/> where that is not known: without a price, without usage, or where a send failed that may be
    /// billed.</value>
    public decimal? Cost
    {
        get => _cost is decimal known ? known
            : Attempts == 0 || (Error is { Kind: not FailureKind.InvalidAnswer } && MaybeBilled == 0 && Unpriced == 0) ? 0m : null;
        init => _cost = value;
    }

    /// <summary>Gets a value indicating whether the response is one of embeddings.</summary>
    public bool IsEmbeddingResponse => Error is null && Untyped is EmbeddingResponse;

    /// <summary>Gets the vectors of an embedding response, in input order; none for any other.</summary>
    public IReadOnlyList<ReadOnlyMemory<float>> Embeddings =>
        Error is null && Untyped is EmbeddingResponse embeddings ? embeddings.Embeddings : [];

    /// <summary>Gets how many of the sends may be billed although they brought no answer.</summary>
    internal int MaybeBilled { get; init; }

    /// <summary>Gets how many sends, beside that of the answer, <see cref="Cost"/> does not include, since their cost is not
    /// known.</summary>
    internal int Unpriced { get; init; }

    private protected abstract object Untyped { get; }

    /// <summary>Prints id, order and outcome, never the content.</summary>
    public override string ToString() =>
        $"#{OrderId} {RequestId}: {Error?.Kind.ToString() ?? (IsCacheHit ? "cached" : IsShared ? "shared" : "answered")}";

    // For a copy under construction.
    private protected void SetError(LlmException error) => Error = error;

    // A request that cannot be written has no key; that is another failure's business.
    private static RequestKey KeyOf(LlmRequest request) => request.TryGetKey(out RequestKey key, out _) ? key : default;
}

/// <summary>Represents the outcome of one request: a response of type <typeparamref name="TResponse"/> or a failure.</summary>
/// <typeparam name="TResponse">The provider's type of response.</typeparam>
public sealed class ResponseWrapper<TResponse> : ResponseWrapper
{
    private readonly TResponse? _response;
    private readonly Usage? _usage;

    /// <summary>Creates a success.</summary>
    /// <param name="response">The response.</param>
    /// <param name="requestId">The request's id.</param>
    /// <param name="orderId">The request's place in its batch.</param>
    /// <param name="usage">The tokens that it used; <see langword="null"/> to read them from an <see cref="LlmResponse"/>.</param>
    public ResponseWrapper(TResponse response, string requestId, long orderId, Usage? usage = null)
        : base(default, NotNull(requestId), orderId, error: null)
    {
        _response = response;
        _usage = usage;
    }

    /// <summary>Creates a failure.</summary>
    /// <param name="error">Why there is no response.</param>
    /// <param name="requestId">The request's id.</param>
    /// <param name="orderId">The request's place in its batch.</param>
    public ResponseWrapper(LlmException error, string requestId, long orderId)
        : base(default, NotNull(requestId), orderId, NotNull(error))
    {
    }

    internal ResponseWrapper(TResponse response, RequestKey key, long orderId, Usage? usage)
        : base(key, id: null, orderId, error: null)
    {
        _response = response;
        _usage = usage;
    }

    internal ResponseWrapper(LlmException error, RequestKey key, long orderId)
        : base(key, id: null, orderId, error)
    {
    }

    internal ResponseWrapper(LlmException error, LlmRequest request, long orderId)
        : base(default, request, orderId, error)
    {
    }

    /// <summary>Gets the response.</summary>
    /// <exception cref="LlmException">There is none; the exception is <see cref="ResponseWrapper.Error"/>.</exception>
    public new TResponse Response => Error is null ? _response! : throw Error;

    /// <inheritdoc/>
    public override Usage? Usage => _usage ?? (_response as LlmResponse)?.Usage;

    private protected override object Untyped => _response!;

    /// <summary>Returns a copy with another failure.</summary>
    internal ResponseWrapper<TResponse> WithError(LlmException error)
    {
        var copy = (ResponseWrapper<TResponse>)MemberwiseClone();
        copy.SetError(error);
        return copy;
    }

    private static T NotNull<T>(T? value)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(value);
        return value;
    }
}
