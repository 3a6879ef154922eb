using FastLLM.Caching;

namespace FastLLM.Pipeline;

/// <summary>Looks answers up in a cache that machines share: one of them claims a request and sends it, the others wait for its
/// answer.</summary>
internal sealed class AnswerClaims<TResponse>(
    IClaimingCache cache, Provider<TResponse> provider, RefreshRule refresh, RequestManagerOptions options, BottleneckProbe probe)
{
    private readonly string _scope = provider.CacheScope;
    private readonly TimeProvider _time = options.TimeProvider;
    private readonly DateTimeOffset _opened = options.TimeProvider.GetUtcNow();

    /// <summary>Releases the claim of a request, unless its answer was recorded. Does nothing without a claim.</summary>
    public static void Release(RequestContext<TResponse> context)
    {
        context.Claim?.Release();
        context.Claim = null;
    }

    /// <summary>Looks up the answer of a request under way, and claims the request on a miss. While another machine sends it, this waits
    /// without a worker.</summary>
    /// <returns>The cached answer, or a failure if the cache or the callers ended the lookup; undecided if the context holds the claim
    /// now.</returns>
    public async ValueTask<Outcome<TResponse>> LookUpAsync(RequestContext<TResponse> context, RequestKey key)
    {
        Release(context);
        try
        {
            long replaced = 0;
            while (true)
            {
                CacheLookup found = await cache.GetOrClaimAsync(key, _scope, replaced, context.Attempt.Token).ConfigureAwait(false);
                if (found.IsTaken)
                {
                    found = await WaitAsync(context, key, replaced).ConfigureAwait(false);
                }

                if (found.Entry is not { } entry)
                {
                    context.Claim = found.Claim;
                    return default;
                }

                TResponse response = provider.ReadCached(entry.Body);
                if (!refresh.Applies(response, found.RecordedAt, _opened, _time.GetUtcNow()))
                {
                    return Outcome<TResponse>.Cached(response, provider.UsageOfCached(response, context.Attempt.Transport.Logger));
                }

                // Claimed as if it were missing, unless another machine has replaced it meanwhile.
                replaced = found.Version;
            }
        }
        catch (OperationCanceledException) when (!context.Attempt.IsCanceled && options.TotalTimeout is not null)
        {
            return Outcome<TResponse>.Failed(context.Sends.LastFailure ?? AdmissionControl<TResponse>.OutOfTime(options));
        }
        catch (LlmException e) when (e.Kind == FailureKind.Provider)
        {
            return Outcome<TResponse>.Failed(e);
        }
        catch (Exception e)
        {
            return context.Attempt.IsCanceled
                ? Outcome<TResponse>.Failed(Outcome<TResponse>.NotSent(context.Sends.LastFailure))
                : Outcome<TResponse>.Stopped(AnswerStore<TResponse>.Failure(e, "looked up"));
        }
    }

    // No slot is held, and the worker takes other rows. For the run, the row is one that others hold up: those that fail need not
    // wait for it.
    private async ValueTask<CacheLookup> WaitAsync(RequestContext<TResponse> context, RequestKey key, long replaced)
    {
        using CancellationTokenSource? timer = Timer(context);
        using CancellationTokenSource? either = timer is null
            ? null : CancellationTokenSource.CreateLinkedTokenSource(timer.Token, context.Attempt.Token);
        Run<TResponse> run = context.Run;
        run.Workers.BeginSentElsewhere();
        probe.Note(run);
        if (!context.IsFailing)
        {
            run.LeftRows.BeginFailing();
        }

        try
        {
            return await cache.WaitOrClaimAsync(key, _scope, replaced, either?.Token ?? context.Attempt.Token).ConfigureAwait(false);
        }
        finally
        {
            if (!context.IsFailing)
            {
                run.LeftRows.EndFailing();
            }

            run.Workers.EndSentElsewhere();
        }
    }

    private CancellationTokenSource? Timer(RequestContext<TResponse> context) =>
        options.TotalTimeout - _time.GetElapsedTime(context.Started) is not { } left ? null
            : new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time);
}
