namespace FastLLM.Retries;

/// <summary>Decides whether and when a failed request is sent again. Pure: the same arguments give the same decision.</summary>
internal sealed class RetryPolicy(RequestManagerOptions options)
{
    /// <summary>The shortest base of the back-off after throttling: with a delay of zero, a throttled request would be sent in a tight
    /// loop.</summary>
    public static readonly TimeSpan MinThrottleDelay = TimeSpan.FromMilliseconds(20);

    /// <summary>How many probes of one request may meet a provider that is down before the failures count as the request's own: some
    /// requests make any server fail.</summary>
    public const int MaxProbes = 20;

    /// <summary>How often a request that was refused at random is sent again without a delay of our own. More refusals in a row are no
    /// chance: half of all sends may be refused, but hardly one request in a million so often.</summary>
    public const int MaxNoise = 20;

    /// <summary>How long the last requests of a run are sent again although they are throttled or meet an outage, while all others were
    /// answered: then they are refused on their own.</summary>
    public static readonly TimeSpan MaxLastWait = TimeSpan.FromMinutes(2);

    /// <summary>The same if so many are left that it may be an outage; then only those fail after whose failure others of the same model
    /// were answered, and not while they wait as asked.</summary>
    public static readonly TimeSpan MaxLastWaitOfMany = TimeSpan.FromMinutes(5);

    /// <summary>The same for those whose failure began after the last answer, if they are fewer than were answered: an outage that begins so
    /// late concerns few.</summary>
    public static readonly TimeSpan MaxLastWaitOfOutage = TimeSpan.FromMinutes(30);

    private const int Many = 10;

    private TimeSpan ThrottleDelay => options.RetryDelay > MinThrottleDelay ? options.RetryDelay : MinThrottleDelay;

    /// <summary>Decides.</summary>
    /// <param name="state">What the request has been through.</param>
    /// <param name="failure">Why the last send failed.</param>
    /// <param name="circumstances">What was known of the provider then.</param>
    /// <param name="age">The time since the request's first step.</param>
    /// <param name="random">A random number, 0 ≤ random &lt; 1.</param>
    public RetryDecision Decide(in RetryState state, LlmException failure, in SendCircumstances circumstances, TimeSpan age, double random)
    {
        if (failure.SendAgainChanged)
        {
            return new RetryDecision(RetryAction.Wait, TimeSpan.Zero, state);
        }

        FailureAction action = FailureTable.ActionOn(failure);
        if (action == FailureAction.RepeatThenFailOrStop && circumstances.HasOthers && !state.IsRepeated)
        {
            TimeSpan repeat = Backoff.Delay(1, ThrottleDelay, circumstances.RetryAfter, random);
            return Sent(RetryAction.Repeat, repeat, state with { IsRepeated = true }, age);
        }

        if (action is not (FailureAction.Wait or FailureAction.Retry or FailureAction.RetryThenFailOrStop))
        {
            return GiveUp(state);
        }

        RetryState next = state;
        if (circumstances.WasDown && action is not FailureAction.RetryThenFailOrStop)
        {
            next = next with { Probes = next.Probes + (circumstances.WasProbe ? 1 : 0) };
            if (!circumstances.WasProbe || next.Probes <= MaxProbes)
            {
                // The request waits at the limiter until the provider is up; that is no failure of the request.
                return Wait(next, circumstances, TimeSpan.Zero, age);
            }
        }

        return action == FailureAction.Wait
            ? Throttled(next, circumstances, age, random)
            : Failed(next, failure.Kind, circumstances, age, random);
    }

    /// <summary>Adds a delay to a decision, which the request may be too old for.</summary>
    public RetryDecision Postpone(in RetryDecision decision, TimeSpan delay, TimeSpan age) =>
        InTime(decision with { Delay = decision.Delay + delay }, age);

    /// <summary>Determines whether waiting longer would only keep the run from ending: all others are done.</summary>
    public static bool IsLeftAlone(in SendCircumstances circumstances) => circumstances.AloneFor >= circumstances switch
    {
        { Left: < Many } => MaxLastWait,
        { AreLaterAnswered: true, WaitsAsAsked: false } => MaxLastWaitOfMany,
        _ when circumstances.AreLaterAnswered || circumstances.Left < circumstances.Answered => MaxLastWaitOfOutage,
        _ => TimeSpan.MaxValue,
    };

    /// <summary>Determines whether a failure may be that of an outage which begins at the last requests of a run: they may use up their
    /// attempts before enough sends have failed for the circuit breaker. Others were answered before, none of the model that were sent since,
    /// and all that are left fail.</summary>
    public static bool MayBeLateOutage(FailureKind kind, in SendCircumstances circumstances) =>
        FailureTable.IsOutage(kind) && circumstances is { WasDown: false, AloneFor: not null, AreNewAnswered: false }
        && !IsLeftAlone(circumstances);

    private RetryDecision Failed(
        in RetryState state, FailureKind kind, in SendCircumstances circumstances, TimeSpan age, double random)
    {
        int timeouts = state.Timeouts + (kind == FailureKind.Timeout ? 1 : 0);
        RetryState next = state with { Failures = state.Failures + 1, Timeouts = timeouts };
        if (circumstances.RetryAfter > options.MaxThrottleWait)
        {
            return GiveUp(next);
        }

        if (next.Failures < options.RetryAttempts)
        {
            return Sent(RetryAction.Retry, Backoff.Delay(next.Failures, options.RetryDelay, circumstances.RetryAfter, random), next, age);
        }

        // The delays continue where those of the attempts have ended.
        return MayBeLateOutage(kind, circumstances)
            ? Wait(state, circumstances, Backoff.Delay(next.Failures + state.Waits, ThrottleDelay, circumstances.RetryAfter, random), age)
            : GiveUp(next);
    }

    private RetryDecision Throttled(in RetryState state, in SendCircumstances circumstances, TimeSpan age, double random)
    {
        // Where refusals are random, the next send is as likely to be accepted as any: only a wait that was asked for is a reason to wait.
        TimeSpan baseDelay = circumstances.IsNoise && state.Waits < MaxNoise ? TimeSpan.Zero : ThrottleDelay;
        TimeSpan delay = Backoff.Delay(state.Waits + 1, baseDelay, circumstances.RetryAfter, random);
        return Wait(state, circumstances, delay, age);
    }

    private RetryDecision Wait(in RetryState state, in SendCircumstances circumstances, TimeSpan delay, TimeSpan age)
    {
        RetryState next = state with
        {
            Waits = state.Waits + 1,
            FirstWait = state.Waits == 0 ? age : state.FirstWait,
        };
        return age - next.FirstWait + delay <= options.MaxThrottleWait && !IsLeftAlone(circumstances)
            ? Sent(RetryAction.Wait, delay, next, age)
            : GiveUp(next);
    }

    private RetryDecision Sent(RetryAction action, TimeSpan delay, in RetryState state, TimeSpan age) => InTime(new(action, delay, state), age);

    private RetryDecision InTime(in RetryDecision decision, TimeSpan age) =>
        age + decision.Delay >= options.TotalTimeout ? GiveUp(decision.State) : decision;

    private static RetryDecision GiveUp(in RetryState state) => new(RetryAction.GiveUp, TimeSpan.Zero, state);
}
