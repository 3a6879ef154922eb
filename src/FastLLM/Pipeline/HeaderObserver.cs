using System.Net.Http.Headers;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.RateLimiting;
using FastLLM.Retries;
using Microsoft.Extensions.Logging;

namespace FastLLM.Pipeline;

/// <summary>Listens to what response headers say about limits, and tells the limiters.</summary>
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

    // If a provider serves several managers, what one of them hears holds for all.
    private void Observe(HttpResponseHeaders headers, Attempt? attempt)
    {
        var lease = attempt?.Owner as RateLease;
        ModelRateLimiter? limiter = lease?.Limiter is { } own ? _limiters.Of(own.Model) : null;
        if (limiter is not null && ReferenceEquals(limiter, lease!.Limiter))
        {
            lease.Headers = LimitHeaders.Read(headers, RetryAfter.Parse, _time.GetUtcNow());
        }

        if (RetryAfter.Read(headers, default, _time.GetUtcNow()) is { } wait && wait > TimeSpan.Zero && wait <= _maxWait
            && (limiter?.CloseFor(wait) ?? _limiters.CloseAllFor(wait)))
        {
            _logger.ProviderPause(wait);
        }
    }
}
