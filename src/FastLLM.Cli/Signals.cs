using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace FastLLM.Cli;

/// <summary>Maps signals to tokens: the first Ctrl-C, SIGTERM or SIGHUP drains the run, a Ctrl-C while it drains aborts it, the next one
/// ends the process.</summary>
/// <remarks>After a SIGTERM or SIGHUP, draining is limited to 25 s, because service managers send SIGKILL after 30 s. More of them change
/// nothing: a terminal that is closed sends SIGHUP twice. Callbacks run on the signal's thread.</remarks>
internal sealed class Signals : IDisposable
{
    /// <summary>The maximum duration of draining after a SIGTERM or SIGHUP.</summary>
    public static readonly TimeSpan MaxDrain = TimeSpan.FromSeconds(25);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _drain = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly TimeProvider _time;
    private readonly List<PosixSignalRegistration> _registrations = [];
    private ITimer? _drainTimer;
    private int _seen;
    private bool _disposed;

    /// <summary>Registers the signal handlers.</summary>
    /// <param name="time">The clock.</param>
    public Signals(TimeProvider time)
        : this(time, register: true)
    {
    }

    internal Signals(TimeProvider time, bool register)
    {
        _time = time;
        if (register)
        {
            foreach (PosixSignal signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
            {
                _registrations.Add(PosixSignalRegistration.Create(signal, context => context.Cancel = Handle(context.Signal)));
            }
        }
    }

    /// <summary>Gets the token of the first signal: send no more, and wait for requests in flight.</summary>
    public CancellationToken Drain => _drain.Token;

    /// <summary>Gets the token of a Ctrl-C while the run drains, or of a SIGTERM or SIGHUP 25 s ago: stop at once.</summary>
    public CancellationToken Abort => _abort.Token;

    /// <summary>Removes the signal handlers, so that signals end the process again.</summary>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        lock (_gate)
        {
            _disposed = true;
            _drainTimer?.Dispose();
        }

        // The sources are not disposed: a concurrent signal may still cancel them, and they hold no resources.
    }

    /// <summary>Drains the run as the first Ctrl-C does; does nothing afterwards.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            if (_disposed || _seen > 0)
            {
                return;
            }
        }

        Handle(PosixSignal.SIGINT);
    }

    /// <summary>Handles a signal.</summary>
    /// <returns>Whether the signal was handled, so that it does not end the process.</returns>
    internal bool Handle(PosixSignal signal)
    {
        int place;
        lock (_gate)
        {
            if (_disposed)
            {
                return false;
            }

            if (signal != PosixSignal.SIGINT)
            {
                _drainTimer ??= _time.CreateTimer(
                    static signals => Cancel(((Signals)signals!)._abort), this, MaxDrain, Timeout.InfiniteTimeSpan);
                if (_seen > 0)
                {
                    return true;
                }
            }

            place = ++_seen;
        }

        if (place <= 2)
        {
            Cancel(place == 1 ? _drain : _abort);
        }

        return place <= 2;
    }

    [SuppressMessage("Design", "CA1031", Justification = "A failing callback must not end the process from a signal handler.")]
    private static void Cancel(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (Exception)
        {
        }
    }
}
