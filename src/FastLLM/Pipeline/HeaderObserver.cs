using System.Net.Http.Headers;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.RateLimiting;
using FastLLM.Retries;
using Microsoft.Extensions.Logging;

namespace FastLLM.Pipeline;

/// <summary>Reads what response headers say about limits, for the send that got them.</summary>
internal sealed class HeaderObserver : IDisposable
{
    private readonly RateLimiters _limiters;
    private readonly TimeSpan _maxWait;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private Action _stop = static () => { };

    private HeaderObserver(RateLimiters limiters, RequestManagerOptions options, ILogger logger)
    {
        _limiters = limiters;
        _maxWait = options.MaxThrottleWait;
        _time = options.TimeProvider;
        _logger = logger;
    }

    /// <summary>Starts to listen. The provider, which may outlive its managers, does not keep the observer alive.</summary>
    public static HeaderObserver Start<TResponse>(
        Provider<TResponse> provider, RateLimiters limiters, RequestManagerOptions options, ILogger logger)
    {
        var observer = new HeaderObserver(limiters, options, logger);
        observer._stop = Listen(provider, new WeakReference<HeaderObserver>(observer));
        return observer;
    }

    public void Dispose() => _stop();

    private static Action Listen<TResponse>(Provider<TResponse> provider, WeakReference<HeaderObserver> observer)
    {
        provider.Observed += OnObserved;
        return () => provider.Observed -= OnObserved;

        void OnObserved(HttpResponseHeaders headers, Attempt? attempt)
        {
            if (observer.TryGetTarget(out HeaderObserver? target))
            {
                target.Observe(headers, attempt);
            }
            else
            {
                provider.Observed -= OnObserved;
            }
        }
    }

    // A wait that is asked for belongs to the send that got it, which may be another manager's. Only one that belongs to none holds for
    // all.
    private void Observe(HttpResponseHeaders headers, Attempt? attempt)
    {
        TimeSpan? wait = RetryAfter.Read(headers, default, _time.GetUtcNow());
        if (attempt is null)
        {
            if (wait > TimeSpan.Zero && wait <= _maxWait && _limiters.CloseAllFor(wait.Value))
            {
                _logger.ProviderPause(wait.Value);
            }
        }
        else if (attempt.Owner is RateLease { Limiter: { } own } lease && ReferenceEquals(_limiters.Of(own.Model), own))
        {
            lease.Headers = LimitHeaders.Read(headers, RetryAfter.Parse, _time.GetUtcNow());
            lease.RetryAfter = wait;
        }
    }
}
