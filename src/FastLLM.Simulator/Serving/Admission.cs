using FastLLM.Simulator.Answers;
using FastLLM.Simulator.Throttling;

namespace FastLLM.Simulator.Serving;

/// <summary>Decides whether requests are answered: by the laws of throttling, then by the quota, then by the announced limits.</summary>
internal sealed class Admission
{
    private static readonly RateVerdict s_noLimits = new(default, default);

    private readonly Counters _counters;
    private readonly Throttle? _throttle;
    private readonly Quota? _quota;
    private readonly RateLimits? _limits;

    public Admission(SimulatorOptions options, Counters counters)
    {
        var clock = new ServerClock(options.TimeProvider);
        _counters = counters;
        _throttle = Throttle.Of(options, clock);
        _quota = options.QuotaAfter is { } answers ? new Quota(answers) : null;
        _limits = RateLimits.Of(options, clock);
    }

    /// <summary>Gets whether <see cref="Admit"/> has to know the answer.</summary>
    public bool NeedsAnswers => _quota is not null || _limits is not null;

    /// <summary>Reads the state of the limits.</summary>
    public RateVerdict? Look() => _limits?.Look();

    /// <summary>Applies the laws of throttling, which know nothing of what is asked.</summary>
    /// <param name="request">The request.</param>
    /// <param name="number">How many times its body has been sent, with this time.</param>
    /// <returns>The refusal, if any.</returns>
    public Problem? ApplyLaws(Send request, int number)
    {
        if (_throttle is null)
        {
            return null;
        }

        if (_throttle.Admit(request.Hash, number) is { } refusal)
        {
            _counters.Refuse(refusal.Law);
            request.Rate = (Look() ?? s_noLimits) with { RetryAfter = refusal.RetryAfter };
            return Problem.Throttled(refusal.Law);
        }

        request.HoldsPlace = true;
        return null;
    }

    /// <summary>Applies the quota and the limits. Both are read, but not used up, by a request that gets no answer of the model.</summary>
    /// <param name="request">The request, with the facts of its answer.</param>
    /// <param name="body">Its body.</param>
    /// <returns>The refusal, if any.</returns>
    public Problem? Admit(Send request, ReadOnlySpan<byte> body)
    {
        bool good = request.Status == 200;
        if (_quota is not null)
        {
            bool pays = good && request.Fault == SimulatorFault.None;
            request.HasPaid = pays && _quota.TryTake();
            if (pays ? !request.HasPaid : _quota.IsUsedUp)
            {
                request.Rate = Look();
                return Problem.NoQuota;
            }
        }

        request.Rate = good ? _limits?.Take(request.Facts.CountedTokens, body) : Look();
        if (request.Rate?.Refusal is not null)
        {
            GiveBack(request);
        }

        return request.Rate?.Refusal;
    }

    /// <summary>Gives back what a request paid for an answer that it does not get.</summary>
    public void GiveBack(Send request)
    {
        if (request.HasPaid)
        {
            _quota!.GiveBack();
            request.HasPaid = false;
        }
    }

    /// <summary>Counts a request as answered. To be called before the last bytes leave: no client may find itself counted still.</summary>
    public void Leave(Send request, int status)
    {
        _counters.Leave(request.Path, status);
        if (request.HoldsPlace)
        {
            _throttle!.Leave();
            request.HoldsPlace = false;
        }
    }
}
