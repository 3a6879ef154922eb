using System.Runtime.CompilerServices;
using FastLLM.Caching;
using FastLLM.Checks;
using FastLLM.Diagnostics;
using Microsoft.Extensions.Logging;

namespace FastLLM.Pipeline;

/// <summary>Looks answers up in the cache and records them: what is a hit, what is refreshed, and how much may be on its way to the
/// disk.</summary>
internal sealed class AnswerStore<TResponse>(
    CacheProvider cache, Provider<TResponse> provider, RefreshRule refresh, TimeProvider time, ILogger logger,
    AnswerClaims<TResponse>? claims = null)
{
    private const long MaxUnrecordedBytes = 64L << 20;

    private static readonly TimeSpan MaxUnrecordedTime = TimeSpan.FromMilliseconds(5);

    private readonly string _scope = provider.CacheScope;
    private DateTimeOffset _refreshedSince = time.GetUtcNow();
    private long _unrecordedBytes;
    private int _unrecorded;
    private long _unrecordedSince;

    /// <summary>Gets the rule by which answers are requested again.</summary>
    public RefreshRule Refresh { get; } = refresh;

    /// <summary>Continues a refresh that began before the store was opened: what was recorded since is not refreshed again.</summary>
    public void ContinueRefresh(DateTimeOffset since) => _refreshedSince = since < _refreshedSince ? since : _refreshedSince;

    /// <summary>Looks up an answer.</summary>
    /// <returns>The answer; none on a miss, and none if it is to be refreshed. Answers that were recorded since the refresh began
    /// are never refreshed.</returns>
    public ValueTask<CachedAnswer<TResponse>> GetAsync(RequestKey key, CancellationToken cancellationToken = default)
    {
        ValueTask<CacheEntry?> lookup = cache.GetAsync(key, _scope, cancellationToken);
        return lookup.IsCompletedSuccessfully ? new ValueTask<CachedAnswer<TResponse>>(Read(lookup.Result)) : WhenFoundAsync(lookup);
    }

    /// <summary>Looks up the answer of a request under way. Where machines share the cache, a miss claims the request.</summary>
    /// <returns>The cached answer, or a failure if the cache or the callers ended the lookup; undecided on a miss.</returns>
    public ValueTask<Outcome<TResponse>> LookUpAsync(RequestContext<TResponse> context, RequestKey key) =>
        claims is null ? LookUpOwnAsync(context, key) : claims.LookUpAsync(context, key);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome<TResponse>> LookUpOwnAsync(RequestContext<TResponse> context, RequestKey key)
    {
        try
        {
            CachedAnswer<TResponse> hit = await GetAsync(key, context.Attempt.Token).ConfigureAwait(false);
            return hit.IsFound
                ? Outcome<TResponse>.Cached(hit.Response!, provider.UsageOfCached(hit.Response!, logger))
                : default;
        }
        catch (LlmException e) when (e.Kind == FailureKind.Provider)
        {
            return Outcome<TResponse>.Failed(e);
        }
        catch (Exception e)
        {
            return context.Attempt.IsCanceled
                ? Outcome<TResponse>.Failed(Outcome<TResponse>.NotSent())
                : Outcome<TResponse>.Stopped(Failure(e, "looked up"));
        }
    }

    /// <summary>Looks up an answer that must pass a check, or its correction.</summary>
    /// <returns>The last answer that is there, and its error if it does not pass; none if a send is needed.</returns>
    public async ValueTask<(CachedAnswer<TResponse> Answer, LlmException? Failure)> GetAsync(
        LlmRequest request, AnswerCheck? check, CancellationToken cancellationToken = default)
    {
        CachedAnswer<TResponse> found = await GetAsync(request.Key, cancellationToken).ConfigureAwait(false);
        if (check is null || found.Response is not LlmResponse first || check.Check(first) is not { Error: { } error } result)
        {
            return (found, null);
        }

        if (!result.MayBeCorrected || Correction.Of(request, result.Text, error, check.Instruction) is not { } correction)
        {
            return (found, result.ToFailure(first));
        }

        found = await GetAsync(correction.Key, cancellationToken).ConfigureAwait(false);
        return found.Response is LlmResponse second && check.Check(second) is { Error: not null } again
            ? (found, again.ToFailure(first, second))
            : (found, null);
    }

    /// <summary>Records an answer. Not canceled by callers that leave: it was paid for.</summary>
    /// <param name="key">The key of the request.</param>
    /// <param name="response">The answer.</param>
    /// <param name="model">The model of the request.</param>
    /// <param name="workers">The workers that may continue meanwhile, if any.</param>
    /// <returns>Why the run cannot continue, or <see langword="null"/>.</returns>
    public async ValueTask<LlmException?> RecordAsync(RequestKey key, TResponse response, string? model, WorkerPool<TResponse>? workers)
    {
        ReadOnlyMemory<byte> bytes;
        try
        {
            bytes = provider.Write(response);
        }
        catch (Exception e)
        {
            logger.AnswerNotKept(e);
            return null;
        }

        try
        {
            var entry = new CacheEntry(bytes, _scope, (response as LlmResponse)?.StatusCode ?? 200, time.GetUtcNow()) { Model = model };
            ValueTask put = cache.PutAsync(key, entry, CancellationToken.None);
            await (put.IsCompleted ? put : new ValueTask(UntilRecordedAsync(put.AsTask(), bytes.Length, workers))).ConfigureAwait(false);
            return null;
        }
        catch (Exception e)
        {
            return Failure(e, "recorded");
        }
    }

    /// <summary>Creates the failure that stops a run whose cache does not work.</summary>
    public static LlmException Failure(Exception cause, string what) =>
        new(FailureKind.Cache, $"An answer could not be {what} in the cache: {cause.Message}", cause);

    private async ValueTask<CachedAnswer<TResponse>> WhenFoundAsync(ValueTask<CacheEntry?> lookup) =>
        Read(await lookup.ConfigureAwait(false));

    private CachedAnswer<TResponse> Read(CacheEntry? found)
    {
        if (found is not { } entry)
        {
            return default;
        }

        TResponse response = provider.ReadCached(entry.Body);
        if (response is LlmResponse answer && entry.StatusCode is >= 200 and < 300)
        {
            answer.StatusCode = entry.StatusCode;
        }

        return Refresh.Applies(response, entry.CreatedAt, _refreshedSince, time.GetUtcNow())
            ? default : new CachedAnswer<TResponse>(true, response);
    }

    // No lease is held, so another row may be sent meanwhile. But a kill loses what is not recorded: never more than a few milliseconds of
    // it.
    private async Task UntilRecordedAsync(Task put, int bytes, WorkerPool<TResponse>? workers)
    {
        if (Interlocked.Increment(ref _unrecorded) == 1)
        {
            Volatile.Write(ref _unrecordedSince, time.GetTimestamp());
        }

        bool hasRoom = Interlocked.Add(ref _unrecordedBytes, bytes) <= MaxUnrecordedBytes
            && time.GetElapsedTime(Volatile.Read(ref _unrecordedSince)) <= MaxUnrecordedTime;
        if (hasRoom)
        {
            workers?.Pause();
        }

        try
        {
            await put.ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Add(ref _unrecordedBytes, -bytes);
            Interlocked.Decrement(ref _unrecorded);
            Volatile.Write(ref _unrecordedSince, time.GetTimestamp()); // those behind it came while it was written
            if (hasRoom)
            {
                workers?.Resume();
            }
        }
    }
}

/// <summary>Represents what a look-up found.</summary>
/// <param name="IsFound">Whether there is an answer that may be used.</param>
/// <param name="Response">The answer.</param>
internal readonly record struct CachedAnswer<TResponse>(bool IsFound, TResponse? Response);
