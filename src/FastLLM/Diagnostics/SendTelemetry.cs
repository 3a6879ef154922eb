using System.Collections.Concurrent;
using System.Diagnostics;

namespace FastLLM.Diagnostics;

/// <summary>Reports the sends of a manager, and how its requests end, to listeners. Without a listener it neither allocates nor
/// locks.</summary>
/// <remarks>A send is what the conventions call a client operation. A cached or shared answer has no send, so that duration, tokens and
/// cost are reported once for each answer that is paid for.</remarks>
internal sealed class SendTelemetry(ProviderIdentity provider, bool capturesContent)
{
    private const int MaxOperations = 1_000;

    private readonly ConcurrentDictionary<(string Endpoint, string? Model), Operation> _operations = new();
    private Operation? _last;

    private static bool IsMeasured => Telemetry.Duration.Enabled || Telemetry.TokenUsage.Enabled;

    /// <summary>Starts the span of a send.</summary>
    /// <param name="request">The request.</param>
    /// <param name="number">How many times the request is sent, this send included.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="begun">When the request began to wait, on that clock.</param>
    /// <returns>The span; <see langword="null"/> if no listener wants it.</returns>
    public Activity? Begin(LlmRequest request, int number, TimeProvider clock, long begun) =>
        Telemetry.Activities.HasListeners() ? Start(request, number, clock.GetElapsedTime(begun)) : null;

    /// <summary>Reports a finished send, and ends its span.</summary>
    /// <param name="activity">The span, if there is one.</param>
    /// <param name="request">The request.</param>
    /// <param name="response">The response, if there is one.</param>
    /// <param name="usage">The tokens that the response took, if known.</param>
    /// <param name="failure">Why there is no response.</param>
    /// <param name="took">The duration of the send.</param>
    public void End(Activity? activity, LlmRequest request, object? response, Usage? usage, LlmException? failure, TimeSpan took)
    {
        if (activity is not null || IsMeasured)
        {
            Report(activity, request, response, usage, failure, took);
        }
    }

    /// <summary>Counts a request that has ended.</summary>
    /// <param name="request">The request, if it is known.</param>
    /// <param name="outcome">How it ended.</param>
    public void Count(LlmRequest? request, ResponseWrapper outcome)
    {
        if (!Telemetry.Requests.Enabled)
        {
            return;
        }

        TagList tags = TagsOf(request);
        tags.Add(Telemetry.Outcome, outcome switch
        {
            { Error.Kind: FailureKind.NotSent } => "not_sent",
            { Error.Kind: FailureKind.Canceled } => "canceled",
            { Error: not null } => "failed",
            { IsCacheHit: true } => "cached",
            { IsShared: true } => "shared",
            _ => "answered",
        });
        if (outcome.Error is { } failure)
        {
            tags.Add(Telemetry.ErrorType, failure.Kind.ToString());
        }

        Telemetry.Requests.Add(1, tags);
    }

    /// <summary>Counts a send that the provider refused because of its limits or load.</summary>
    public void CountThrottled(LlmRequest request, LlmException failure)
    {
        if (Telemetry.Throttled.Enabled)
        {
            TagList tags = TagsOf(request);
            tags.Add(Telemetry.ErrorType, failure.Kind.ToString());
            Telemetry.Throttled.Add(1, tags);
        }
    }

    /// <summary>Counts the cost of a send.</summary>
    public void CountCost(LlmRequest request, decimal cost)
    {
        if (cost > 0 && Telemetry.Cost.Enabled)
        {
            Telemetry.Cost.Add((double)cost, TagsOf(request));
        }
    }

    private Activity? Start(LlmRequest request, int number, TimeSpan waited)
    {
        Operation operation = OperationOf(request);
        Activity? activity =
            Telemetry.Activities.StartActivity(operation.SpanName, ActivityKind.Client, parentContext: default, operation.Tags);
        if (activity is not { IsAllDataRequested: true })
        {
            return activity;
        }

        activity.AddTag("fastllm.request.id", request.Key.ToString());
        activity.AddTag("fastllm.wait", waited.TotalSeconds);
        if (number > 1)
        {
            activity.AddTag("fastllm.send", number);
        }

        if (request.CustomId is { } row)
        {
            activity.AddTag("fastllm.custom_id", row);
        }

        SendTags.AddParameters(activity, request);
        return activity;
    }

    private void Report(
        Activity? activity, LlmRequest request, object? response, Usage? usage, LlmException? failure, TimeSpan took)
    {
        Operation operation = OperationOf(request);
        ReadOnlySpan<byte> body = response is LlmResponse { RawBody: var raw } ? raw.Span : default;
        AnswerTags tags = operation.TagsOf(body);
        if (usage is not null && Telemetry.TokenUsage.Enabled)
        {
            Telemetry.TokenUsage.Record(usage.PromptTokens, tags.Input);
            if (usage.CompletionTokens > 0)
            {
                Telemetry.TokenUsage.Record(usage.CompletionTokens, tags.Output);
            }
        }

        Telemetry.Duration.Record(
            took.TotalSeconds,
            failure is null ? tags.Duration : [.. tags.Duration, new(Telemetry.ErrorType, failure.Kind.ToString())]);
        if (activity is null)
        {
            return;
        }

        if (activity.IsAllDataRequested)
        {
            SendTags.AddResult(activity, body, tags.Model, usage, failure);
            if (capturesContent)
            {
                MessageContentTags.Add(activity, request, response as LlmResponse, failure);
            }
        }

        activity.Dispose();
    }

    private TagList TagsOf(LlmRequest? request) =>
        new(request is null ? provider.Tags.AsSpan(0, 1) : OperationOf(request).CounterTags);

    private Operation OperationOf(LlmRequest request)
    {
        Operation? last = Volatile.Read(ref _last);
        if (last is not null && last.IsOf(request))
        {
            return last;
        }

        if (!_operations.TryGetValue((request.Endpoint, request.Model), out Operation? operation))
        {
            // Names of models come from the input: those beyond any sensible number are not kept.
            operation = new Operation(request.Endpoint, request.Model, provider);
            if (_operations.Count < MaxOperations)
            {
                _operations.TryAdd((request.Endpoint, request.Model), operation);
            }
        }

        Volatile.Write(ref _last, operation);
        return operation;
    }
}
