using System.Diagnostics.CodeAnalysis;

namespace FastLLM.Providers;

/// <summary>Holds the events of a streamed answer while it arrives, for its watchers. One that comes late sees all of them.</summary>
internal sealed class LiveStream
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _changed = NewSignal();
    private LiveSend? _send;

    /// <summary>Gets or sets the number of watchers. Under the lock of <see cref="LiveStreams"/>.</summary>
    public int Watchers { get; set; }

    /// <summary>Gets a task that completes at the next change. Get it before looking for events.</summary>
    public Task Changed
    {
        get
        {
            lock (_gate)
            {
                return _changed.Task;
            }
        }
    }

    /// <summary>Gets the send under way, or the next one.</summary>
    public LiveSend Attach()
    {
        lock (_gate)
        {
            Signal();
            return _send ??= new LiveSend();
        }
    }

    /// <summary>Adds an event to the send under way; the first one begins it.</summary>
    public void Add(ReadOnlySpan<byte> data)
    {
        byte[] copy = data.ToArray();
        lock (_gate)
        {
            (_send ??= new LiveSend()).Events.Add(copy);
            Signal();
        }
    }

    /// <summary>Ends the send under way. Watchers that have seen some of its events keep them; no other watcher sees them.</summary>
    /// <param name="failure">Why it failed, if it did.</param>
    public void End(LlmException? failure)
    {
        lock (_gate)
        {
            if (_send is { } send)
            {
                send.Failure = failure;
                _send = null;
            }

            Signal();
        }
    }

    /// <summary>Wakes the watchers.</summary>
    public void Wake()
    {
        lock (_gate)
        {
            Signal();
        }
    }

    /// <summary>Takes the next event, if there is one.</summary>
    /// <param name="send">The send that the watcher sees.</param>
    /// <param name="taken">How many events of it the watcher has taken.</param>
    /// <param name="data">The event.</param>
    /// <exception cref="LlmException">The send failed after some of its events were taken.</exception>
    public bool TryTake(ref LiveSend send, ref int taken, [NotNullWhen(true)] out byte[]? data)
    {
        lock (_gate)
        {
            if (send.Failure is { } failure)
            {
                // A watcher that has seen nothing of it sees the next send.
                send = taken == 0
                    ? _send ??= new LiveSend()
                    : throw new LlmException(
                        failure.Kind, $"The stream broke off after a part of it was returned: {failure.Message}", failure);
            }

            data = taken < send.Events.Count ? send.Events[taken++] : null;
            return data is not null;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Signal()
    {
        _changed.SetResult();
        _changed = NewSignal();
    }
}
