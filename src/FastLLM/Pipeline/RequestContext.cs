using FastLLM.Providers;
using FastLLM.RateLimiting;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Holds the state of one request on its way through the pipeline. Made once per worker and used for one request after the
/// other.</summary>
internal sealed class RequestContext<TResponse>
{
    // Many fields because all that belongs to one request is kept here, so that the pipeline has no state.
    private const int MaxCallersKept = 64;

    // Structs that the pipeline changes in place: a request must not cost an object.
    public Outcome<TResponse> Outcome;
    public SendHistory Sends;
    public RetryState Retry;

    public RequestContext(Transport transport, AttemptClock clock, AttemptTimes times)
    {
        Attempt = new Attempt(transport, clock, times) { Owner = Lease.Rate, OnSent = () => Lease.Rate.Limiter!.Sent(Lease.Rate) };
        InFlight = new InFlightRequest<Caller<TResponse>> { Cancel = Attempt.Cancel };
        clock.Add(Attempt);
    }

    /// <summary>Gets the run whose worker processes the request.</summary>
    public Run<TResponse> Run { get; private set; } = null!;

    /// <summary>Gets the request: the row's own, or its correction.</summary>
    public LlmRequest Request { get; private set; } = null!;

    /// <summary>Gets the answer that did not pass its check and is being corrected.</summary>
    public LlmResponse? Rejected { get; private set; }

    /// <summary>Gets a value indicating whether the request has not been sent yet, whatever was sent before its correction.</summary>
    public bool IsUnsent => Sends.Count == Sends.BeforeCorrection;

    /// <summary>Gets a value indicating whether the last send repeated a failed one.</summary>
    public bool IsRetry => Sends.Count - Sends.BeforeCorrection > 1;

    /// <summary>Gets the number of the row in its run: rows that are read later have higher ones.</summary>
    public long OrderId { get; private set; }

    /// <summary>Gets when the request left the queue of its run, as a timestamp.</summary>
    public long Started { get; private set; }

    /// <summary>Gets the send under way: its token and its deadlines.</summary>
    public Attempt Attempt { get; }

    /// <summary>Gets the permission to send.</summary>
    public Lease Lease { get; } = new();

    /// <summary>Gets or sets the claim of the request, if machines share the cache and this one is to send it.</summary>
    public CacheClaim? Claim { get; set; }

    /// <summary>Gets or sets the number of the present send in the run's <see cref="SharedFailureDetector"/>; 0 for none.</summary>
    public long Ticket { get; set; }

    /// <summary>Gets or sets how the request was held by the detector before the present send; <see langword="null"/> if it was
    /// not.</summary>
    public HeldSend? Held { get; set; }

    /// <summary>Gets a value indicating whether a send was throttled or met an outage.</summary>
    public bool IsFailing => FailingSince > 0;

    /// <summary>Gets or sets the number of the first such send; 0 if there was none.</summary>
    public long FailingSince { get; set; }

    /// <summary>Gets or sets the number of the last send of the run that had begun when that failure was known.</summary>
    public long FailingKnownFrom { get; set; }

    /// <summary>Gets or sets what the row is suspected of since a send of it failed.</summary>
    public Suspicion? Suspicion { get; set; }

    /// <summary>Gets what equal requests join while this one is being answered.</summary>
    public InFlightRequest<Caller<TResponse>> InFlight { get; }

    /// <summary>Gets the rows that await the outcome, once the request has ended.</summary>
    public List<Caller<TResponse>> Callers { get; } = [];

    /// <summary>Gets the request's key.</summary>
    public RequestKey Key => InFlight.Key;

    /// <summary>Starts over with a request that leads.</summary>
    public void Begin(Run<TResponse> run, LlmRequest request, long orderId, long now)
    {
        Run = run;
        Request = request;
        OrderId = orderId;
        Started = now;
        Outcome = default;
        Sends = default;
        Retry = default;
        Suspicion = null;
        FailingSince = 0;
        Rejected = null;
    }

    /// <summary>Continues with the request that corrects an answer.</summary>
    public void Correct(LlmResponse rejected, LlmRequest correction)
    {
        Rejected = rejected;
        Request = correction;
        Outcome = default;
        Retry = default;
        Sends.BeforeCorrection = Sends.Count;
        Sends.Cost = null;
    }

    /// <summary>Returns what is known now of the provider, since the last send, and of the run.</summary>
    /// <param name="retryAfter">How long the failure asks to wait, if it does.</param>
    public SendCircumstances Circumstances(TimeSpan? retryAfter = null)
    {
        RateLease lease = Lease.Rate;
        return new SendCircumstances(lease.WasDown, lease.IsProbe, lease.MeetsNoise, retryAfter ?? lease.RetryAfter)
        {
            HasOthers = Run.HasOtherRows,
            AloneFor = Run.AloneFor,
            Left = Run.LeftRows.UnderWay,
            Answered = Run.LeftRows.Answered,
            AreLaterAnswered = Run.LeftRows.IsAnsweredLater(Request.Model, FailingSince),
            AreNewAnswered = Run.LeftRows.IsAnsweredLater(Request.Model, FailingKnownFrom),
        };
    }

    /// <summary>Drops what belongs to the last run: an idle context must not keep its answers alive.</summary>
    public void Forget()
    {
        InFlight.Callers.Clear();
        Callers.Clear();
        Callers.Capacity = Math.Min(Callers.Capacity, MaxCallersKept);
        Begin(null!, null!, 0, 0);
    }
}

/// <summary>Represents the sends of a request so far.</summary>
internal struct SendHistory
{
    /// <summary>How many there were.</summary>
    public int Count;

    /// <summary>How many there were before the present request, if it corrects an answer.</summary>
    public int BeforeCorrection;

    /// <summary>How many may be billed although they brought no answer.</summary>
    public int MaybeBilled;

    /// <summary>How many have a cost that is not known and in none of the following: failed ones and rejected answers.</summary>
    public int Unpriced;

    /// <summary>How many of all have a cost that is not known.</summary>
    public readonly int UnknownCosts => Math.Max(MaybeBilled, Unpriced);

    /// <summary>What the answer cost, if known.</summary>
    public decimal? Cost;

    /// <summary>What failed sends stay charged with, since their costs are unknown, and what rejected answers cost.</summary>
    public decimal Charged;

    /// <summary>How long the last one took.</summary>
    public TimeSpan Latency;

    /// <summary>Why the last one failed.</summary>
    public LlmException? LastFailure;
}
