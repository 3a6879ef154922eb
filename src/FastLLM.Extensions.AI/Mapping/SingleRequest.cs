using System.Globalization;
using System.Runtime.ExceptionServices;
using FastLLM.Pipeline;

namespace FastLLM.Mapping;

/// <summary>Runs single requests of interactive callers through a manager.</summary>
internal sealed class SingleRequest(RequestManager<LlmResponse> manager)
{
    /// <summary>A caller waits: a minute without an answer is long.</summary>
    public static readonly TimeSpan DefaultMaxWait = TimeSpan.FromSeconds(60);

    /// <summary>Gets the time after which nothing more is sent for a call.</summary>
    /// <value>The default is 60 s, unless the manager has a <see cref="RequestManagerOptions.TotalTimeout"/>.</value>
    public TimeSpan MaxWait { get; init; } = manager.Options.TotalTimeout is null ? DefaultMaxWait : Timeout.InfiniteTimeSpan;

    public static TimeSpan Check(TimeSpan maxWait) => maxWait > TimeSpan.Zero || maxWait == Timeout.InfiniteTimeSpan ? maxWait
        : throw new ArgumentOutOfRangeException(nameof(MaxWait), maxWait, "MaxWait must be positive, or infinite.");

    /// <summary>Sends a request and returns its response.</summary>
    /// <exception cref="LlmException">The request failed, or its response is not a <typeparamref name="TExpected"/>.</exception>
    public async Task<SingleAnswer<TExpected>> SendAsync<TExpected>(LlmRequest request, CancellationToken cancellationToken)
        where TExpected : LlmResponse
    {
        using CallDeadline deadline = Deadline(request, cancellationToken);
        return await SendAsync<TExpected>(request, deadline, entered: null, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Starts the time of a call.</summary>
    public CallDeadline Deadline(LlmRequest request, CancellationToken cancellationToken) =>
        new(manager.Options.TimeProvider, MaxWait, LongestSend(request), cancellationToken);

    public async Task<SingleAnswer<TExpected>> SendAsync<TExpected>(LlmRequest request, CallDeadline deadline,
        Action? entered, CancellationToken cancellationToken)
        where TExpected : LlmResponse
    {
        try
        {
            ResponseWrapper<LlmResponse> outcome = await manager.SendAsync(
                request, entered, new LlmException(FailureKind.Timeout, "The call waited too long."), deadline.Late, deadline.Over)
                .ConfigureAwait(false);

            // What was in flight may have brought the answer all the same.
            return outcome.Error is { } failure && deadline.Late.IsCancellationRequested
                ? throw TooLate(failure.InnerException as LlmException ?? failure) : Read<TExpected>(outcome);
        }
        catch (LlmRunException e) when (e.InnerException is LlmException cause)
        {
            // For one request, the failure is clearer than the end of a run.
            ExceptionDispatchInfo.Throw(cause);
            throw;
        }
        catch (LlmCanceledException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("The call was canceled.", e, cancellationToken);
        }
        catch (LlmCanceledException) when (deadline.Late.IsCancellationRequested)
        {
            throw TooLate(null);
        }
    }

    private static SingleAnswer<TExpected> Read<TExpected>(ResponseWrapper<LlmResponse> outcome)
        where TExpected : LlmResponse => new(outcome.Response as TExpected
            ?? throw new LlmException(FailureKind.InvalidResponse,
                $"The provider answered with a {outcome.Response.GetType().Name}, not a {typeof(TExpected).Name}."), outcome);

    // The kind is that of the last failure, so that callers can act on it.
    private LlmException TooLate(LlmException? last)
    {
        string wait = MaxWait.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);
        bool isKnown = last is { Kind: not (FailureKind.NotSent or FailureKind.Canceled) };
        string cause = isKnown ? $" The last send failed: {last!.Message}" : "";
        return new LlmException(isKnown ? last!.Kind : FailureKind.Timeout,
            $"No answer within {wait} s, so the call was given up.{cause} For a longer wait, set MaxWait.", last)
        {
            StatusCode = last?.StatusCode,
            Code = last?.Code,
            Body = last?.Body,
            RetryAfter = last?.RetryAfter,
        };
    }

    private TimeSpan LongestSend(LlmRequest request) =>
        SendTimeouts.First(manager.Options, request.Model, isInteractive: !request.Stream);
}
