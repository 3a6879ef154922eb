using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using FastLLM.Checks;
using FastLLM.Pipeline;

namespace FastLLM;

/// <summary>Sends requests whose answers must pass a check, or are values of a .NET type.</summary>
/// <remarks>See <c>docs/typed-answers.md</c>. Sharing, cache, limits, budget and statistics are those of the manager; a correction is a
/// send like any other.</remarks>
public static class RequestManagerExtensions
{
    private const string NeedsReflection =
        "The schema of the type is made by reflection. Pass a JsonTypeInfo<T> of a JsonSerializerContext.";

    /// <summary>Processes requests whose answers must pass a check, and returns their outcomes in request order.</summary>
    /// <param name="manager">The manager that sends.</param>
    /// <param name="batch">A <see cref="RequestBatch"/>, or any sequence of requests.</param>
    /// <param name="check">The check. An answer that does not pass is corrected once.</param>
    /// <param name="cancellationToken">Ends the batch at once; what is in flight is given up.</param>
    /// <exception cref="LlmRunException">The run cannot continue; the exception carries every response so far.</exception>
    /// <exception cref="LlmCanceledException">Canceled; the exception carries every response so far.</exception>
    public static Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> ProcessBatchAsync(
        this RequestManager<LlmResponse> manager, IEnumerable<LlmRequest> batch, AnswerCheck check,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(manager);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(check);
        LlmRequest[] requests = [.. batch];
        return Array.IndexOf(requests, null) is >= 0 and var missing
            ? throw new ArgumentException($"Request {missing} of the batch is null.", nameof(batch))
            : manager.ProcessAsync(requests, cancellationToken, check);
    }

    /// <summary>Processes a stream of requests whose answers must pass a check, and returns outcomes as they come.</summary>
    /// <inheritdoc cref="RequestManager{TResponse}.ProcessAsync(IAsyncEnumerable{LlmRequest}, CancellationToken)"/>
    /// <param name="manager">The manager that sends.</param>
    /// <param name="requests">The requests; read by one thread at a time, not always the same.</param>
    /// <param name="check">The check. An answer that does not pass is corrected once.</param>
    /// <param name="cancellationToken">Ends the stream at once; what is in flight is given up.</param>
    public static IAsyncEnumerable<ResponseWrapper<LlmResponse>> ProcessAsync(
        this RequestManager<LlmResponse> manager, IAsyncEnumerable<LlmRequest> requests, AnswerCheck check,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(manager);
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(check);
        return manager.Open(requests, new RunSettings { Check = check }, cancellationToken).Outcomes;
    }

    /// <summary>Processes requests whose answers are values of a type, and returns their outcomes in request order.</summary>
    /// <remarks>The schema of the type is sent as <c>response_format</c>, strict if the type allows it, unless a request has a format
    /// of its own. An answer that cannot be read as the type is corrected once.</remarks>
    /// <typeparam name="T">The type: a class or record whose properties are the members of the answer.</typeparam>
    /// <param name="manager">The manager that sends.</param>
    /// <param name="batch">A <see cref="RequestBatch"/>, or any sequence of requests.</param>
    /// <param name="type">How the type is read and described, such as <c>MyContext.Default.Review</c>.</param>
    /// <param name="cancellationToken">Ends the batch at once; what is in flight is given up.</param>
    /// <exception cref="NotSupportedException">The type has no members.</exception>
    /// <exception cref="LlmRunException">The run cannot continue; the exception carries every response so far.</exception>
    /// <exception cref="LlmCanceledException">Canceled; the exception carries every response so far.</exception>
    public static async Task<IReadOnlyList<TypedAnswer<T>>> ProcessBatchAsync<T>(
        this RequestManager<LlmResponse> manager, IEnumerable<LlmRequest> batch, JsonTypeInfo<T> type,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var typed = new TypedCheck<T>(type);
        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes =
            await manager.ProcessBatchAsync(batch.Select(typed.Ask), typed.Check, cancellationToken).ConfigureAwait(false);
        return [.. outcomes.Select(typed.Read)];
    }

    /// <inheritdoc cref="ProcessBatchAsync{T}(RequestManager{LlmResponse}, IEnumerable{LlmRequest}, JsonTypeInfo{T}, CancellationToken)"/>
    /// <param name="manager">The manager that sends.</param>
    /// <param name="batch">A <see cref="RequestBatch"/>, or any sequence of requests.</param>
    /// <param name="options">How the type is read; <see langword="null"/> for names in camel case, read without regard to case.</param>
    /// <param name="cancellationToken">Ends the batch at once; what is in flight is given up.</param>
    [RequiresUnreferencedCode(NeedsReflection)]
    [RequiresDynamicCode(NeedsReflection)]
    public static Task<IReadOnlyList<TypedAnswer<T>>> ProcessBatchAsync<T>(
        this RequestManager<LlmResponse> manager, IEnumerable<LlmRequest> batch, JsonSerializerOptions? options = null,
        CancellationToken cancellationToken = default) =>
        manager.ProcessBatchAsync(batch, TypeOf<T>(options), cancellationToken);

    /// <summary>Processes a stream of requests whose answers are values of a type, and returns outcomes as they come.</summary>
    /// <inheritdoc cref="RequestManager{TResponse}.ProcessAsync(IAsyncEnumerable{LlmRequest}, CancellationToken)"/>
    /// <typeparam name="T">The type: a class or record whose properties are the members of the answer.</typeparam>
    /// <param name="manager">The manager that sends.</param>
    /// <param name="requests">The requests; read by one thread at a time, not always the same.</param>
    /// <param name="type">How the type is read and described, such as <c>MyContext.Default.Review</c>.</param>
    /// <param name="cancellationToken">Ends the stream at once; what is in flight is given up.</param>
    public static async IAsyncEnumerable<TypedAnswer<T>> ProcessAsync<T>(
        this RequestManager<LlmResponse> manager, IAsyncEnumerable<LlmRequest> requests, JsonTypeInfo<T> type,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var typed = new TypedCheck<T>(type);
        await foreach (ResponseWrapper<LlmResponse> outcome in manager
            .ProcessAsync(Ask(requests, typed, cancellationToken), typed.Check, cancellationToken).ConfigureAwait(false))
        {
            yield return typed.Read(outcome);
        }
    }

    /// <summary>Sends one request and returns its answer as a value of a type.</summary>
    /// <inheritdoc cref="ProcessBatchAsync{T}(RequestManager{LlmResponse}, IEnumerable{LlmRequest}, JsonTypeInfo{T}, CancellationToken)"/>
    /// <param name="manager">The manager that sends.</param>
    /// <param name="request">The request.</param>
    /// <param name="type">How the type is read and described, such as <c>MyContext.Default.Review</c>.</param>
    /// <param name="cancellationToken">Ends the request at once; what is in flight is given up.</param>
    /// <exception cref="LlmException">The request failed. An answer that does not fit the type is of kind
    /// <see cref="FailureKind.InvalidAnswer"/>.</exception>
    public static async Task<T> GetAsync<T>(
        this RequestManager<LlmResponse> manager, LlmRequest request, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return (await manager.ProcessBatchAsync([request], type, cancellationToken).ConfigureAwait(false))[0].Value;
    }

    /// <inheritdoc cref="GetAsync{T}(RequestManager{LlmResponse}, LlmRequest, JsonTypeInfo{T}, CancellationToken)"/>
    /// <param name="manager">The manager that sends.</param>
    /// <param name="request">The request.</param>
    /// <param name="options">How the type is read; <see langword="null"/> for names in camel case, read without regard to case.</param>
    /// <param name="cancellationToken">Ends the request at once; what is in flight is given up.</param>
    [RequiresUnreferencedCode(NeedsReflection)]
    [RequiresDynamicCode(NeedsReflection)]
    public static Task<T> GetAsync<T>(
        this RequestManager<LlmResponse> manager, LlmRequest request, JsonSerializerOptions? options = null,
        CancellationToken cancellationToken = default) =>
        manager.GetAsync(request, TypeOf<T>(options), cancellationToken);

    private static async IAsyncEnumerable<LlmRequest> Ask<T>(
        IAsyncEnumerable<LlmRequest> requests, TypedCheck<T> typed, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (LlmRequest request in requests.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            yield return typed.Ask(request);
        }
    }

    [RequiresUnreferencedCode(NeedsReflection)]
    [RequiresDynamicCode(NeedsReflection)]
    private static JsonTypeInfo<T> TypeOf<T>(JsonSerializerOptions? options)
    {
        JsonSerializerOptions used = options ?? ReflectionOptions.Default;
        used.MakeReadOnly(populateMissingResolver: true);
        return (JsonTypeInfo<T>)used.GetTypeInfo(typeof(T));
    }

    [RequiresUnreferencedCode(NeedsReflection)]
    [RequiresDynamicCode(NeedsReflection)]
    private static class ReflectionOptions
    {
        // Enums as text: a model knows names, not numbers. Numbers as numbers only, so that the schema says so.
        public static readonly JsonSerializerOptions Default = new(JsonSerializerDefaults.Web)
        {
            NumberHandling = JsonNumberHandling.Strict,
            Converters = { new JsonStringEnumConverter() },
        };
    }
}
