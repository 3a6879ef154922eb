namespace FastLLM.TestKit;

/// <summary>Lets what the thread pool has to do be done before a test goes on.</summary>
public static class PoolTurns
{
    // A step of the engine makes others ready: a reply, the retry, its worker's next row.
    private const int Turns = 3;

    /// <summary>Waits until what was queued has run, and what that has queued, a few times over.</summary>
    public static async Task TakeAsync()
    {
        for (var turn = 0; turn < Turns; turn++)
        {
            var taken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            ThreadPool.UnsafeQueueUserWorkItem(static taken => taken.SetResult(), taken, preferLocal: false);
            await taken.Task.ConfigureAwait(false);
        }
    }
}
