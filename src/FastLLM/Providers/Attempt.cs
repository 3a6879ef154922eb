using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace FastLLM.Providers;

/// <summary>One send after another: the token that ends them and the times within which they must be done.</summary>
/// <remarks>
/// A worker keeps one of these and uses it for all its sends, so that a send costs neither a timer nor a token source; the
/// <see cref="AttemptClock"/> watches the deadlines of all with a single timer.
/// </remarks>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A token source without a timer holds nothing, and late callbacks may still look at it.")]
internal sealed class Attempt(Transport transport, AttemptClock clock, AttemptTimes times)
{
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

    /// <summary>Who makes the attempts; what a provider observes is observed for them.</summary>
    public object? Owner { get; init; }

    /// <summary>Whether the headers of good answers are of interest too.</summary>
    public bool WantsHeaders { get; set; }

    /// <summary>Fires when the time is over, or when nobody waits for the answer any more.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>How long the present send may take.</summary>
    public TimeSpan Timeout { get; private set; }

    /// <summary>Whether the request went out whole, so that the provider may bill it.</summary>
    public bool RequestSent { get; set; }

    /// <summary>The timestamp by which something must have happened.</summary>
    public long Deadline => Volatile.Read(ref _deadline);

    /// <summary>Whether the time is all but over, so that a timer of the provider's own may have fired a moment before ours.</summary>
    public bool IsNearItsEnd => Timeout != System.Threading.Timeout.InfiniteTimeSpan && clock.Elapsed(_begun) >= Timeout * 0.95;

    /// <summary>Whether nobody waits for the answer any more.</summary>
    public bool IsCanceled => Volatile.Read(ref _canceled);

    /// <summary>Makes ready for another request.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            _canceled = false;
            RequestSent = false;
            Renew();
        }
    }

    /// <summary>The clock runs from here.</summary>
    /// <param name="timeout">How long the send may take.</param>
    /// <param name="option">The option that says so.</param>
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

    /// <summary>Bytes of the answer have come: the silence begins anew.</summary>
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

    /// <summary>The answer has begun to say something, piece by piece: from now on silence is a stall, whatever came before it was thinking.</summary>
    public void ExpectFlow() => _idle ??= AttemptTimes.StreamIdle;

    /// <summary>The send is over, one way or the other.</summary>
    /// <returns>How long it took.</returns>
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

    /// <summary>Nobody waits for the answer any more. Callbacks run elsewhere: it may be called under a lock.</summary>
    public void Cancel()
    {
        lock (_gate)
        {
            _canceled = true;
            _ = _source.CancelAsync();
        }
    }

    /// <summary>Ends the send if its time is over.</summary>
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

    /// <summary>What to call it when the token has fired.</summary>
    /// <param name="exception">What the send threw.</param>
    /// <param name="maybeBilled">Whether the provider may bill it.</param>
    public LlmException Ended(Exception exception, bool maybeBilled)
    {
        if (_canceled && _expiredIn == Phase.None)
        {
            return new LlmException(FailureKind.Canceled, "Cancelled while in flight; the provider may bill it.", exception) { MaybeBilled = maybeBilled };
        }

        bool wasCutShort = Timeout == System.Threading.Timeout.InfiniteTimeSpan || clock.Elapsed(_begun) < Timeout;
        string what = _expiredIn switch
        {
            Phase.FirstByte when wasCutShort && times.FirstByte is { } firstByte => $"no first byte of an answer within {Seconds(firstByte)} s ({nameof(RequestManagerOptions.FirstByteTimeout)})",
            Phase.Body when wasCutShort && _idle is { } idle => $"silence of {Seconds(idle)} s inside an answer ({nameof(RequestManagerOptions.IdleTimeout)})",
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
            // Not disposed: late callbacks of the old send may still look at it, and it holds nothing.
            _source = new CancellationTokenSource();
        }
    }
}
