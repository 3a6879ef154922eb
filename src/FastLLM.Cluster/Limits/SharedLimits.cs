using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Threading.Channels;
using FastLLM.RateLimiting;

namespace FastLLM.Cluster.Limits;

/// <summary>Shares the limits of all managers of a worker with the other workers: reports what is sent and wanted, and takes what is
/// granted, about once a second.</summary>
/// <remarks>While the database is away, no manager sends more than it was granted, and configured limits hold: after <see
/// cref="LimitAllocator.Validity"/> seconds, sends of models with such limits wait. What was learned is used on.</remarks>
internal sealed class SharedLimits : IAsyncDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(LimitAllocator.Interval);
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(2);

    private readonly ILimitStore _store;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    // Holds at most one signal that a send waits.
    private readonly Channel<bool> _wanted = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private ImmutableArray<Participant> _participants = [];
    private long _reported;
    private bool _isAway;

    /// <summary>Starts to share limits.</summary>
    /// <param name="store">Decides for all workers.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Receives messages of one line.</param>
    public SharedLimits(ILimitStore store, TimeProvider time, Action<string> say)
    {
        (_store, _time, _say) = (store, time, say);
        _reported = time.GetTimestamp() - (long)(time.TimestampFrequency * LimitAllocator.Interval);
        _loop = RunAsync();
    }

    /// <summary>Shares the limits of a manager. Call it before the manager sends.</summary>
    /// <param name="limiters">The limiters of the manager.</param>
    /// <param name="endpoint">Where it sends, and for which account: all who have the same limits at the provider.</param>
    /// <returns>Ends it.</returns>
    public IAsyncDisposable Join(RateLimiters limiters, string endpoint)
    {
        var participant = new Participant(this, limiters, endpoint, RandomNumberGenerator.GetHexString(32, lowercase: true));
        limiters.Share(() => _wanted.Writer.TryWrite(true));
        ImmutableInterlocked.Update(ref _participants, static (all, one) => all.Add(one), participant);
        return participant;
    }

    /// <summary>Gives everything back, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (Participant participant in _participants)
        {
            await participant.DisposeAsync().ConfigureAwait(false);
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        CancellationToken stop = _stop.Token;
        while (true)
        {
            await WaitAsync(stop).ConfigureAwait(false);
            var reports = new List<MemberReport>();
            var takers = new List<(RateLimiters Limiters, double From)>();
            foreach (Participant participant in _participants)
            {
                foreach (ModelReport report in participant.Limiters.Report(out double from))
                {
                    reports.Add(new MemberReport(participant.Endpoint, participant.Id, report));
                    takers.Add((participant.Limiters, from));
                }
            }

            if (reports.Count > 0 && await ReportAsync(reports, leaves: false, stop).ConfigureAwait(false) is { } grants)
            {
                for (var i = 0; i < grants.Count; i++)
                {
                    takers[i].Limiters.Grant(reports[i].Report.Model, takers[i].From, grants[i]);
                }
            }
        }
    }

    // One report a second at most; sooner than that after the last one only if it was long ago.
    private async Task WaitAsync(CancellationToken stop)
    {
        TimeSpan left = s_interval - _time.GetElapsedTime(_reported);
        if (left > TimeSpan.Zero)
        {
            await Task.Delay(left, _time, stop).ConfigureAwait(false);
        }
        else
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(stop);
            Task<bool> wanted = _wanted.Reader.WaitToReadAsync(timeout.Token).AsTask();
            await Task.WhenAny(wanted, Task.Delay(s_interval, _time, timeout.Token)).ConfigureAwait(false);
            await timeout.CancelAsync().ConfigureAwait(false);
            stop.ThrowIfCancellationRequested();
        }

        _wanted.Reader.TryRead(out _);
    }

    private async Task<IReadOnlyList<ModelGrant>?> ReportAsync(
        IReadOnlyList<MemberReport> reports, bool leaves, CancellationToken cancellationToken)
    {
        _reported = _time.GetTimestamp();
        try
        {
            IReadOnlyList<ModelGrant> grants = await _store.ReportAsync(reports, leaves, cancellationToken).ConfigureAwait(false);
            if (_isAway)
            {
                _isAway = false;
                _say("Limits are shared again.");
            }

            return grants;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Whatever it is: without grants, nothing can be sent that might be too much.
            if (!_isAway)
            {
                _isAway = true;
                _say($"Limits cannot be shared ({e.Message}). Models with configured limits wait; learned limits hold.");
            }

            return null;
        }
    }

    private async Task LeaveAsync(Participant participant)
    {
        ImmutableInterlocked.Update(ref _participants, static (all, one) => all.Remove(one), participant);
        IReadOnlyList<ModelReport> last = participant.Limiters.Report(out _, isLast: true);
        MemberReport[] reports = [.. last.Select(report => new MemberReport(participant.Endpoint, participant.Id, report))];
        if (reports.Length > 0)
        {
            using var timeout = new CancellationTokenSource(s_farewell, _time);
            try
            {
                await ReportAsync(reports, leaves: true, timeout.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (timeout.IsCancellationRequested)
            {
                // The grants expire.
            }
        }
    }

    private sealed record Participant(SharedLimits All, RateLimiters Limiters, string Endpoint, string Id) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await All.LeaveAsync(this).ConfigureAwait(false);
    }
}
