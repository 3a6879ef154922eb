using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace FastLLM.Providers;

/// <summary>Represents the sends of a worker, one after the other: their cancellation token and their deadlines.</summary>
/// <remarks>
/// A worker reuses one attempt for all its sends, so that a send needs neither a timer nor a token source; the
/// <see cref="AttemptClock"/> watches the deadlines of all attempts with a single timer.
/// </remarks>
[SuppressMessage(
    "Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "A token source without a timer holds no resources, and late callbacks may still use it.")]
internal sealed class Attempt(Transport transport, AttemptClock clock, AttemptTimes times)
{
    // Many fields because an attempt is reused: what one send is like is set anew for each.
    private readonly Lock _gate = new();
    private CancellationTokenSource _source = new();
    private long _begun;
    private long _attemptDeadline;
    private long _deadline = AttemptClock.Never;
    private Phase _phase;
    private Phase _expiredIn;
    private TimeSpan? _idle;
    private bool _canceled;
    private string _option = "";

    private enum Phase
    {
        None,
        FirstByte,
        Body,
    }

    public Transport Transport { get; } = transport;

    /// <summary>Gets the engine that makes the attempts, for which a provider observes headers.</summary>
    public object? Owner { get; init; }

    /// <summary>Gets or sets whether the engine also needs the headers of successful responses.</summary>
    public bool WantsHeaders { get; set; }

    /// <summary>Gets the token that is canceled at the deadline, or when no caller waits for the response any more.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Gets the timeout of the present send.</summary>
    public TimeSpan Timeout { get; private set; }

    /// <summary>Gets the action that notes when the request is sent; called only if <see cref="WantsHeaders"/>.</summary>
    public Action? OnSent { get; init; }

    /// <summary>Gets whether the whole request was sent, so that the provider may bill it.</summary>
    public bool RequestSent { get; private set; }

    /// <summary>Gets or sets the response's share of the common memory; <see langword="null"/> for small responses.</summary>
    public ResponseMemory.Share? Memory { get; set; }

    /// <summary>Gets the timestamp of the next deadline.</summary>
    public long Deadline => Volatile.Read(ref _deadline);

    /// <summary>Gets whether the timeout is nearly over, so that the provider's own timer may have fired just before.</summary>
    public bool IsNearItsEnd => Timeout != System.Threading.Timeout.InfiniteTimeSpan && clock.Elapsed(_begun) >= Timeout * 0.95;

    /// <summary>Gets whether no caller waits for the response any more.</summary>
    public bool IsCanceled => Volatile.Read(ref _canceled);

    /// <summary>Prepares for another request.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            _canceled = false;
            RequestSent = false;
            Renew();
        }
    }

    /// <summary>Starts the clock of a send.</summary>
    /// <param name="timeout">The timeout of the send.</param>
    /// <param name="option">The option that sets the timeout, for messages.</param>
    public void Begin(TimeSpan timeout, string option)
    {
        Timeout = timeout;
        _option = option;
        RequestSent = false;
        _expiredIn = Phase.None;
        _phase = Phase.FirstByte;
        _idle = times.Idle;
        _begun = clock.Now;
        _attemptDeadline = clock.After(_begun, timeout);
        Watch(times.FirstByte is { } firstByte ? Math.Min(_attemptDeadline, clock.After(_begun, firstByte)) : _attemptDeadline);
    }

    /// <summary>Notes that the whole request was sent.</summary>
    public void MarkSent()
    {
        RequestSent = true;
        NoteSent();
    }

    /// <summary>Notes that the request is being sent by a provider that does not say when.</summary>
    public void NoteSent()
    {
        if (WantsHeaders)
        {
            OnSent?.Invoke();
        }
    }

    /// <summary>Restarts the idle timeout, because data of the response has arrived.</summary>
    public void Touch()
    {
        _phase = Phase.Body;
        if (_idle is { } idle)
        {
            Watch(Math.Min(_attemptDeadline, clock.After(clock.Now, idle)));
        }
        else if (times.FirstByte is not null)
        {
            Watch(_attemptDeadline);
        }
    }

    /// <summary>Stops the clock while the attempt waits for something other than the server.</summary>
    /// <returns>The time of the call, for <see cref="Resume"/>.</returns>
    public long Pause()
    {
        Watch(AttemptClock.Never);
        return clock.Now;
    }

    /// <summary>Continues after a pause that began at <paramref name="paused"/>.</summary>
    public void Resume(long paused)
    {
        long waited = clock.Now - paused;
        _begun += waited;
        _attemptDeadline = _attemptDeadline == AttemptClock.Never ? _attemptDeadline : _attemptDeadline + waited;
        Watch(_attemptDeadline);
        Touch();
    }

    /// <summary>Sets an idle timeout, because the stream has begun to send content: from now on, silence is a stall and not
    /// thinking.</summary>
    public void ExpectFlow() => _idle ??= AttemptTimes.StreamIdle;

    /// <summary>Stops the clock of a send.</summary>
    /// <returns>The duration of the send.</returns>
    public TimeSpan End()
    {
        lock (_gate)
        {
            Volatile.Write(ref _deadline, AttemptClock.Never);
            _phase = Phase.None;
            if (!_canceled)
            {
                Renew();
            }
        }

        return clock.Elapsed(_begun);
    }

    /// <summary>Cancels the send, because no caller waits any more. Callbacks run on other threads, so that it may be called under a
    /// lock.</summary>
    public void Cancel()
    {
        lock (_gate)
        {
            _canceled = true;
            _ = _source.CancelAsync();
        }
    }

    /// <summary>Cancels the send if its deadline has passed.</summary>
    public void ExpireAt(long now)
    {
        lock (_gate)
        {
            if (_phase != Phase.None && Deadline <= now)
            {
                _expiredIn = _phase;
                Volatile.Write(ref _deadline, AttemptClock.Never);
                _ = _source.CancelAsync();
            }
        }
    }

    /// <summary>Gets the failure of a send whose token was canceled.</summary>
    /// <param name="exception">The exception of the send.</param>
    /// <param name="maybeBilled">Whether the provider may bill the send.</param>
    public LlmException Ended(Exception exception, bool maybeBilled)
    {
        if (_canceled && _expiredIn == Phase.None)
        {
            return new LlmException(FailureKind.Canceled, "Canceled while in flight; the provider may bill it.", exception)
            {
                MaybeBilled = maybeBilled,
            };
        }

        bool wasCutShort = Timeout == System.Threading.Timeout.InfiniteTimeSpan || clock.Elapsed(_begun) < Timeout;
        string what = _expiredIn switch
        {
            Phase.FirstByte when wasCutShort && times.FirstByte is { } firstByte =>
                $"no first byte of an answer within {Seconds(firstByte)} s ({nameof(RequestManagerOptions.FirstByteTimeout)})",
            Phase.Body when wasCutShort && _idle is { } idle =>
                $"silence of {Seconds(idle)} s inside an answer ({nameof(RequestManagerOptions.IdleTimeout)})",
            _ => $"no whole answer within {Seconds(Timeout)} s ({_option})",
        };
        return new LlmException(FailureKind.Timeout, $"Timed out: {what}.", exception) { MaybeBilled = maybeBilled };
    }

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);

    private void Watch(long deadline)
    {
        Interlocked.Exchange(ref _deadline, deadline);
        clock.Watch(deadline);
    }

    private void Renew()
    {
        if (_source.IsCancellationRequested)
        {
            // Not disposed: late callbacks of the old send may still use it, and it holds no resources.
            _source = new CancellationTokenSource();
        }
    }
}
