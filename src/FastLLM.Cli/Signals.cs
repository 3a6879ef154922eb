using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace FastLLM.Cli;

/// <summary>Turns signals into tokens. The first Ctrl-C or SIGTERM asks for an orderly end, the second for one at once; a third is left to the system.</summary>
/// <remarks>After a SIGTERM the orderly end has 25 s, since whoever sent it kills after 30 s. Callbacks of the tokens run on the signal's thread.</remarks>
internal sealed class Signals : IDisposable
{
    /// <summary>How long an orderly end may take after a SIGTERM.</summary>
    public static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(25);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _drain = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly TimeProvider _time;
    private readonly List<PosixSignalRegistration> _registrations = [];
    private ITimer? _patience;
    private int _seen;
    private bool _disposed;

    /// <summary>Begins to listen.</summary>
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
            foreach (PosixSignal signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM])
            {
                _registrations.Add(PosixSignalRegistration.Create(signal, context => context.Cancel = Arrived(context.Signal)));
            }
        }
    }

    /// <summary>Gets the token of the first signal: send nothing new, wait for what is in flight.</summary>
    public CancellationToken Drain => _drain.Token;

    /// <summary>Gets the token of the second signal, or of a SIGTERM 25 s ago: leave at once.</summary>
    public CancellationToken Abort => _abort.Token;

    /// <summary>Stops listening: from then on signals end the process, as they do by themselves.</summary>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        lock (_gate)
        {
            _disposed = true;
            _patience?.Dispose();
        }

        // The sources stay: a signal on its way may still cancel them, and they hold nothing.
    }

    /// <summary>A signal came.</summary>
    /// <returns>Whether it is dealt with here, so that the process lives on.</returns>
    internal bool Arrived(PosixSignal signal)
    {
        int place;
        lock (_gate)
        {
            if (_disposed)
            {
                return false;
            }

            place = ++_seen;
            if (place == 1 && signal == PosixSignal.SIGTERM)
            {
                _patience = _time.CreateTimer(static signals => Cancel(((Signals)signals!)._abort), this, LongestDrain, Timeout.InfiniteTimeSpan);
            }
        }

        if (place <= 2)
        {
            Cancel(place == 1 ? _drain : _abort);
        }

        return place <= 2;
    }

    [SuppressMessage("Design", "CA1031", Justification = "What a listener does wrong must not end the process from a signal handler.")]
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
