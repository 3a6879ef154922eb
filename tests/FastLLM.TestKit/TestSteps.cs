namespace FastLLM.TestKit;

/// <summary>Knows whether code of one test runs at present, on whatever thread: a manual clock must not pass an hour between two steps of
/// the engine.</summary>
/// <remarks>
/// <para>What a test starts carries its <see cref="ExecutionContext"/>, and the runtime says when a thread enters such a context and leaves
/// it. So a step that takes long (its code is compiled, the system has taken its thread away) is waited for. Other tests in the process do
/// not matter.</para>
/// <para>Thread-safe. Waiting is a signal, not a loop.</para>
/// </remarks>
public sealed class TestSteps
{
    // A step makes others ready: a reply, the retry, its worker's next row. A thread may be taken away just before it runs what it has
    // queued for itself.
    private const int Turns = 8;

    private static readonly AsyncLocal<TestSteps?> s_current = new(OnChange);

    private readonly Lock _gate = new();
    private int _threads; // that run code of the test at present
    private TaskCompletionSource? _idle;

    /// <summary>Gets what watches the calling code; <see langword="null"/> if nothing does.</summary>
    public static TestSteps? Current => s_current.Value;

    /// <summary>Begins to watch what the calling code runs and starts from here on.</summary>
    public static TestSteps Watch()
    {
        var steps = new TestSteps();
        s_current.Value = steps;
        return steps;
    }

    /// <summary>Completes when everything that is ready to run has run, and what that has made ready.</summary>
    public async Task WhenDoneAsync(CancellationToken cancellationToken = default)
    {
        for (var turn = 0; turn < Turns; turn++)
        {
            // What was queued so far is taken by a thread before this is, and seen below while it runs.
            var taken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            ThreadPool.UnsafeQueueUserWorkItem(static taken => taken.SetResult(), taken, preferLocal: false);
            await taken.Task.ConfigureAwait(false);

            if (OthersIdle() is { } idle)
            {
                await idle.WaitAsync(cancellationToken).ConfigureAwait(false);
                turn = -1;
            }
        }
    }

    /// <summary>Null when the calling thread is the only one; otherwise the task completes once no thread runs code of the test.</summary>
    private Task? OthersIdle()
    {
        int own = s_current.Value == this ? 1 : 0;
        lock (_gate)
        {
            if (_threads <= own)
            {
                return null;
            }

            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _idle.Task;
        }
    }

    private static void OnChange(AsyncLocalValueChangedArgs<TestSteps?> change)
    {
        change.PreviousValue?.Add(-1);
        change.CurrentValue?.Add(1);
    }

    private void Add(int change)
    {
        TaskCompletionSource? idle = null;
        lock (_gate)
        {
            _threads += change;
            if (_threads == 0)
            {
                (idle, _idle) = (_idle, null);
            }
        }

        idle?.SetResult();
    }
}
