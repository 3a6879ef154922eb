using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Holds back outcomes of which it is not yet known whether the request failed or the whole run. Safe for concurrent
/// use.</summary>
internal sealed class SuspectBuffer<TResponse>
{
    private readonly Lock _gate = new();
    private List<ResponseWrapper<TResponse>> _held = [];
    private int _count;

    /// <summary>Gets a value indicating whether no outcome is held.</summary>
    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    /// <summary>Returns the outcome with its final scope, or holds it and returns <see langword="null"/>.</summary>
    public ResponseWrapper<TResponse>? Pass(ResponseWrapper<TResponse> outcome)
    {
        if (outcome.Error?.Suspicion is not { } suspicion)
        {
            return outcome;
        }

        lock (_gate)
        {
            if (suspicion.Scope is { } scope)
            {
                return Final(outcome, scope);
            }

            _held.Add(outcome);
            Volatile.Write(ref _count, _held.Count);
            return null;
        }
    }

    /// <summary>Returns the held outcomes whose scope is known now.</summary>
    /// <param name="otherwise">The scope of those that will stay undecided; <see langword="null"/> to hold them.</param>
    public IReadOnlyList<ResponseWrapper<TResponse>> TakeDecided(FailureScope? otherwise = null)
    {
        if (IsEmpty)
        {
            return [];
        }

        lock (_gate)
        {
            List<ResponseWrapper<TResponse>> decided = [], undecided = [];
            foreach (ResponseWrapper<TResponse> outcome in _held)
            {
                if ((outcome.Error!.Suspicion!.Scope ?? otherwise) is { } scope)
                {
                    decided.Add(Final(outcome, scope));
                }
                else
                {
                    undecided.Add(outcome);
                }
            }

            _held = undecided;
            Volatile.Write(ref _count, undecided.Count);
            return decided;
        }
    }

    private static ResponseWrapper<TResponse> Final(ResponseWrapper<TResponse> outcome, FailureScope scope) =>
        scope == FailureScope.Request ? outcome : outcome.WithError(outcome.Error!.WithScope(scope));
}
