namespace FastLLM.TestKit;

/// <summary>Holds the sends of a <see cref="ScriptedProvider"/> until the test ends them, the oldest first.</summary>
/// <remarks>
/// A test that counts sends waits until as many are held as should be, and then ends one. If it watches its <see cref="TestSteps"/>, the
/// engine goes on inside <see cref="Answer"/> and <see cref="Fail"/>, on the test's thread, until it waits again; only what it starts on
/// other threads has to be waited for.
/// </remarks>
public sealed class HeldSends
{
    private readonly Queue<TaskCompletionSource<string>> _held = new();
    private readonly Gauge _count = new();
    private bool _released;

    /// <summary>The script for the provider.</summary>
    public Task<string> HoldAsync(LlmRequest request, int nth, CancellationToken cancellationToken)
    {
        // Continuations run at once: what an end brings about has been done when Answer and Fail return.
        var send = new TaskCompletionSource<string>();
        lock (_held)
        {
            if (_released)
            {
                return Task.FromResult("fine");
            }

            _held.Enqueue(send);
            _count.Add(1);
        }

        return send.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Completes when at least <paramref name="count"/> sends are held.</summary>
    public Task WaitForAsync(int count, CancellationToken cancellationToken = default) => _count.WaitForAsync(count, cancellationToken);

    /// <summary>Answers the oldest send.</summary>
    public void Answer() => Next().SetResult("fine");

    /// <summary>Lets the oldest send fail.</summary>
    public void Fail(Exception failure) => Next().SetException(failure);

    /// <summary>Answers all sends that are held, and from now on every send at once.</summary>
    public void Release()
    {
        lock (_held)
        {
            _released = true;
        }

        while (_count.Value > 0)
        {
            Answer();
        }
    }

    private TaskCompletionSource<string> Next()
    {
        lock (_held)
        {
            _count.Add(-1);
            return _held.Dequeue();
        }
    }
}
