using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Workers;

/// <summary>Repeats a step until canceled.</summary>
internal static class Loop
{
    /// <summary>Runs a step, waits, and runs it again. A step that finds a server away is tried again.</summary>
    public static async Task EveryAsync(
        TimeSpan period, Func<CancellationToken, Task> step, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                try
                {
                    await step(cancellationToken).ConfigureAwait(false);
                }
                catch (Exception e) when ((StoreFault.IsAway(e) || BrokerFault.IsAway(e)) && !cancellationToken.IsCancellationRequested)
                {
                }

                await Task.Delay(period, time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>Waits until one of two tokens is canceled.</summary>
    public static async Task WaitForEitherAsync(CancellationToken one, CancellationToken other)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(one, other);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (either.Token.UnsafeRegister(static state => ((TaskCompletionSource)state!).TrySetResult(), ended)
            .ConfigureAwait(false))
        {
            await ended.Task.ConfigureAwait(false);
        }
    }
}
