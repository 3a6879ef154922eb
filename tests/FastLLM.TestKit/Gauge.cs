namespace FastLLM.TestKit;

/// <summary>Represents a number that other threads change and a test waits for.</summary>
/// <remarks>
/// <para>Thread-safe. Waiting is a signal, not a loop: the change that meets a condition completes its task.</para>
/// <para>A test that watches its <see cref="TestSteps"/> waits for the step of the change, too: a send that is counted may not be awaited
/// yet, and a clock that moved now would move within the step.</para>
/// </remarks>
public sealed class Gauge
{
    private readonly Lock _gate = new();
    private readonly List<(int AtLeast, TaskCompletionSource Reached)> _waiters = [];
    private int _value;
    private int _peak;

    /// <summary>Gets the present value.</summary>
    public int Value => Volatile.Read(ref _value);

    /// <summary>Gets the highest value so far.</summary>
    public int Peak => Volatile.Read(ref _peak);

    /// <summary>Changes the value.</summary>
    public void Add(int change)
    {
        lock (_gate)
        {
            _value += change;
            _peak = Math.Max(_peak, _value);
            for (int i = _waiters.Count - 1; i >= 0; i--)
            {
                if (_waiters[i].AtLeast <= _value)
                {
                    _waiters[i].Reached.TrySetResult();
                    _waiters.RemoveAt(i);
                }
            }
        }
    }

    /// <summary>Completes when the value is at least <paramref name="atLeast"/>, and all that was ready to run then has run.</summary>
    public async Task WaitForAsync(int atLeast, CancellationToken cancellationToken = default)
    {
        await Reach(atLeast).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (TestSteps.Current is { } steps)
        {
            await steps.WhenDoneAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private Task Reach(int atLeast)
    {
        lock (_gate)
        {
            if (_value >= atLeast)
            {
                return Task.CompletedTask;
            }

            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((atLeast, reached));
            return reached.Task;
        }
    }
}
