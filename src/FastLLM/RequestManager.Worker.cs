using FastLLM.Pipeline;
using FastLLM.Providers;
using FastLLM.RateLimiting;

namespace FastLLM;

public partial class RequestManager<TResponse>
{
    private Worker RentWorker()
    {
        if (_workers.TryPop(out Worker? worker))
        {
            return worker;
        }

        var lease = new Lease();
        var attempt = new Attempt(_transport, _clock, _times) { Owner = lease };
        _clock.Add(attempt);
        return new Worker(attempt, lease);
    }

    private void ReturnWorker(Worker worker)
    {
        worker.Forget();
        _workers.Push(worker);
    }

    /// <summary>What seeing one request through takes: made once and used for one request after the other.</summary>
    private sealed class Worker(Attempt attempt, Lease lease)
    {
        private const int MaxCallersKept = 64;

        public Attempt Attempt { get; } = attempt;

        public Lease Lease { get; } = lease;

        public InFlightRequest<Caller<TResponse>> InFlightRequest { get; } = new() { Cancel = attempt.Cancel };

        public List<Caller<TResponse>> Callers { get; } = [];

        public Outcome Outcome;

        /// <summary>When the request's journey began.</summary>
        public long Started { get; private set; }

        /// <summary>How many times the request was sent.</summary>
        public int Attempts { get; set; }

        /// <summary>How many of the sends were the request's own failures.</summary>
        public int Failures { get; set; }

        /// <summary>How many of the sends ended because their time was over.</summary>
        public int Timeouts { get; set; }

        /// <summary>How many of the sends were throttled, or refused a connection.</summary>
        public int Throttles { get; set; }

        /// <summary>When the first of those was.</summary>
        public long FirstThrottle { get; set; }

        /// <summary>How many of the sends were to find out whether the provider is up again.</summary>
        public int Probes { get; set; }


        /// <summary>How many of the sends may be billed although they brought no answer.</summary>
        public int MaybeBilled { get; set; }

        /// <summary>Whether the present send counts for how its run begins.</summary>
        public bool IsOfBeginning { get; set; }

        /// <summary>What is set aside for the send, where there is a budget.</summary>
        public decimal? Reserved { get; set; }

        /// <summary>What the answer cost, where known.</summary>
        public decimal? Cost { get; set; }

        /// <summary>What failed sends stay charged with, since nobody knows what they cost.</summary>
        public decimal Charged { get; set; }

        /// <summary>What the request cost where it has no answer; <see langword="null"/> for what follows from its attempts: nothing, or nobody knows.</summary>
        public decimal? CostOfFailure => Charged > 0 ? Charged : null;

        /// <summary>How long the last send took.</summary>
        public TimeSpan Latency { get; set; }

        /// <summary>Why the last send failed.</summary>
        public LlmException? LastFailure { get; set; }

        public void Begin(long now)
        {
            Started = now;
            Attempts = Failures = Timeouts = Throttles = Probes = MaybeBilled = 0;
            Reserved = Cost = null;
            Charged = 0;
            Latency = TimeSpan.Zero;
            LastFailure = null;
        }

        // An idle worker must not hold on to the last batch's answers.
        public void Forget()
        {
            InFlightRequest.Callers.Clear();
            Callers.Clear();
            Callers.Capacity = Math.Min(Callers.Capacity, MaxCallersKept);
            Outcome = default;
            LastFailure = null;
        }
    }

    /// <summary>How a flight ended.</summary>
    private struct Outcome
    {
        public TResponse? Response;
        public Usage? Usage;
        public LlmException? Failure;

        /// <summary>The answer is the cache's.</summary>
        public bool IsCacheHit;

        /// <summary>An equal row of the run had this outcome before.</summary>
        public bool IsShared;

        /// <summary>Why no run that waits for this can go on.</summary>
        public LlmException? StopCause;
    }
}
