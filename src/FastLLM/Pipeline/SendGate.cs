using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Lets the sends of a request begin as the run's <see cref="SharedFailureDetector"/> allows.</summary>
internal static class SendGate
{
    /// <summary>Begins a send, unless sends are held.</summary>
    public static bool TryBegin<TResponse>(RequestContext<TResponse> context)
    {
        HeldSend? held = context.Held;
        bool begins = context.Run.SharedFailures.TryBegin(
            context.Suspicion, context.Request.Model, context.OrderId, ref held, out long ticket);
        (context.Ticket, context.Held) = (ticket, held);
        return begins;
    }

    /// <summary>Waits until a held request may try again. Other workers read ahead meanwhile: rows from there are the best
    /// probes.</summary>
    /// <exception cref="OperationCanceledException">The request was called off, or is out of time.</exception>
    public static async ValueTask WaitAsync<TResponse>(RequestContext<TResponse> context, CancellationToken cancellationToken)
    {
        context.Run.Workers.Pause();
        try
        {
            await context.Held!.Released.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            context.Run.Workers.Resume();
        }
    }

    /// <summary>Returns whether the request may not be sent at all: its model is closed, since its first rows were refused. Then the
    /// outcome says so.</summary>
    public static bool Refuses<TResponse>(RequestContext<TResponse> context)
    {
        SharedFailureDetector detector = context.Run.SharedFailures;
        if (!detector.HasClosedModels || detector.Refusal(context.Request.Model, out Suspicion? suspicion) is not { } refusal)
        {
            return false;
        }

        context.Outcome = Outcome<TResponse>.Failed(refusal, suspicion);
        return true;
    }
}
