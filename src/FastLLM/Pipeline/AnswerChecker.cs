using FastLLM.Checks;

namespace FastLLM.Pipeline;

/// <summary>Checks the answers of runs that have a check, and turns a request whose answer does not pass into its correction.</summary>
internal sealed class AnswerChecker<TResponse>(
    AnswerStore<TResponse>? answers, InFlightTable<Caller<TResponse>> inFlight, OutcomeDelivery<TResponse> delivery)
{
    /// <summary>Checks the answer of a request, whether it is new or from the cache. If it does not pass, the outcome is that of the
    /// correction in the cache, none if the correction must be sent, or a failure.</summary>
    public ValueTask CheckAsync(RequestContext<TResponse> context) =>
        context.Run.Check is { } check ? CheckAsync(context, check) : default;

    private async ValueTask CheckAsync(RequestContext<TResponse> context, AnswerCheck check)
    {
        while (context.Outcome is { IsDecided: true, Failure: null, Response: LlmResponse response }
            && check.Check(response) is { Error: { } error } result)
        {
            // It was paid for, so it is recorded like any other answer.
            LlmException? stopCause = await KeepAsync(context).ConfigureAwait(false);
            LlmRequest? correction = context.Rejected is null && result.MayBeCorrected && stopCause is null
                ? Correction.Of(context.Request, result.Text, error, check.Instruction)
                : null;
            if (correction is null || !correction.TryGetKey(out RequestKey key, out _))
            {
                LlmException failure = context.Rejected is { } first ? result.ToFailure(first, response) : result.ToFailure(response);
                context.Outcome = Outcome<TResponse>.Failed(failure);
                context.Outcome.StopCause = stopCause;
                return;
            }

            context.Sends.LastFailure = context.InFlight.LastFailure = result.ToFailure(response);
            context.Correct(response, correction);
            if (!inFlight.Reopen(context.InFlight) || delivery.IsCalledOff(context))
            {
                context.Outcome = Outcome<TResponse>.Failed(Outcome<TResponse>.NotSent(context.Sends.LastFailure));
            }
            else if (answers is not null)
            {
                context.Outcome = await answers.LookUpAsync(context, key).ConfigureAwait(false);
            }
        }
    }

    // Counts and records an answer that is not the outcome.
    private async ValueTask<LlmException?> KeepAsync(RequestContext<TResponse> context)
    {
        if (!context.Outcome.IsNewResponse)
        {
            return null;
        }

        delivery.CountRejected(context);
        context.Sends.Charged += context.Sends.Cost ?? 0;
        context.Sends.Unpriced += context.Sends.Cost is null ? 1 : 0;
        context.InFlight.Charged = context.Sends.Charged;
        context.InFlight.Unpriced = context.Sends.UnknownCosts;
        context.Attempt.Memory?.Release();
        return answers is null ? null
            : await answers.RecordAsync(context.Request.Key, context.Outcome.Response!, context.Request.Model, context.Run.Workers)
                .ConfigureAwait(false);
    }
}
