using System.Collections.Concurrent;
using FastLLM.Providers;

namespace FastLLM.Pipeline;

/// <summary>Keeps request contexts from run to run.</summary>
internal sealed class ContextPool<TResponse>(Transport transport, AttemptClock clock, AttemptTimes times)
{
    // No ConcurrentBag: its thread-local queues would keep contexts, and through them the manager, alive for as long as the thread lives.
    private readonly ConcurrentStack<RequestContext<TResponse>> _idle = [];

    public RequestContext<TResponse> Rent() =>
        _idle.TryPop(out RequestContext<TResponse>? context) ? context : new(transport, clock, times);

    public void Return(RequestContext<TResponse> context)
    {
        context.Forget();
        _idle.Push(context);
    }
}
