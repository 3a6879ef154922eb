using System.Diagnostics;
using FastLLM.Simulator;

namespace FastLLM.Benchmarks.ClusterLimits;

/// <summary>What the simulator has counted, twenty times a second.</summary>
internal sealed class SendSamples : IAsyncDisposable
{
    private static readonly TimeSpan s_every = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _stop = new();
    private readonly List<(double At, long Sends, long Refused)> _samples = [];
    private readonly SimulatorServer _simulator;
    private readonly Task _running;
    private long _began;

    public SendSamples(SimulatorServer simulator)
    {
        _simulator = simulator;
        _running = Task.Run(RunAsync);
    }

    /// <summary>Gets a task that ends with the first send, from which the seconds count.</summary>
    public TaskCompletionSource First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public double Now => Stopwatch.GetElapsedTime(_began).TotalSeconds;

    /// <summary>Returns what was sent from one moment to another.</summary>
    public (long Sends, long Refused) Between(double from, double to)
    {
        lock (_samples)
        {
            (double _, long sends, long refused) = At(from);
            (double _, long sendsThen, long refusedThen) = At(to);
            return (sendsThen - sends, refusedThen - refused);
        }
    }

    /// <summary>Returns the accepted sends a second.</summary>
    public double Accepted(double from, double to) => Between(from, to) is var (sends, refused) ? (sends - refused) / (to - from) : 0;

    /// <summary>Returns the most sends, refused ones too, in any minute.</summary>
    public long MostInAMinute()
    {
        lock (_samples)
        {
            return _samples.Select(sample => At(sample.At + 60).Sends - sample.Sends).DefaultIfEmpty(0).Max();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    // The last sample that is not later.
    private (double At, long Sends, long Refused) At(double at)
    {
        int index = _samples.BinarySearch((at, long.MaxValue, long.MaxValue));
        return index >= 0 ? _samples[index] : ~index == 0 ? default : _samples[~index - 1];
    }

    private async Task RunAsync()
    {
        while (true)
        {
            SimulatorStats stats = _simulator.Stats;
            if (stats.Sends > 0 && _began == 0)
            {
                _began = Stopwatch.GetTimestamp();
                First.TrySetResult();
            }

            if (_began > 0)
            {
                lock (_samples)
                {
                    _samples.Add((Now, stats.Sends, stats.Throttled.Values.Sum()));
                }
            }

            await Task.Delay(s_every, _stop.Token);
        }
    }
}
