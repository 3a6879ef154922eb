using System.Diagnostics.CodeAnalysis;

namespace FastLLM.Providers;

/// <summary>Holds the events of a streamed answer while it arrives, for its watchers. One that comes late sees all of them.</summary>
internal sealed class LiveStream
{
    private readonly Lock _gate = new();
    private readonly List<byte[]> _events = [];
    private TaskCompletionSource _changed = NewSignal();
    private LlmException? _failure;
    private int _send;

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

    /// <summary>Adds an event.</summary>
    public void Add(ReadOnlySpan<byte> data)
    {
        byte[] copy = data.ToArray();
        Change(() => _events.Add(copy));
    }

    /// <summary>Drops the events of a send that failed. Watchers that have seen some of them cannot continue.</summary>
    public void Break(LlmException failure) => Change(() =>
    {
        _failure = failure;
        _events.Clear();
        _send++;
    });

    /// <summary>Wakes the watchers.</summary>
    public void Wake() => Change(static () => { });

    /// <summary>Takes the next event, if there is one.</summary>
    /// <exception cref="LlmException">The send failed after some of its events were taken.</exception>
    public bool TryTake(ref LivePosition position, [NotNullWhen(true)] out byte[]? data)
    {
        lock (_gate)
        {
            if (position.Send != _send)
            {
                position = position.Taken == 0 ? new LivePosition(_send, 0) : throw new LlmException(
                    _failure!.Kind, $"The stream broke off after a part of it was returned: {_failure.Message}", _failure);
            }

            data = position.Taken < _events.Count ? _events[position.Taken] : null;
            position = position with { Taken = position.Taken + (data is null ? 0 : 1) };
            return data is not null;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Change(Action change)
    {
        lock (_gate)
        {
            change();
            _changed.SetResult();
            _changed = NewSignal();
        }
    }
}

/// <summary>Represents how far a watcher has come.</summary>
/// <param name="Send">The send whose events it sees.</param>
/// <param name="Taken">How many of them it has taken.</param>
internal readonly record struct LivePosition(int Send, int Taken);
