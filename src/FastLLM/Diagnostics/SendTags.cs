using System.Diagnostics;
using System.Text;

namespace FastLLM.Diagnostics;

/// <summary>Adds the attributes of a send to its span. None of them holds a prompt or an answer.</summary>
internal static class SendTags
{
    /// <summary>Adds the parameters of a request.</summary>
    public static void AddParameters(Activity activity, LlmRequest request)
    {
        if (request.Stream)
        {
            activity.AddTag("gen_ai.request.stream", true);
        }

        // The parameters of a request that came as JSON are in its body, which is not parsed for this.
        if (request.IsVerbatim)
        {
            return;
        }

        Add(activity, "gen_ai.request.temperature", request.Temperature);
        Add(activity, "gen_ai.request.top_p", request.TopP);
        Add(activity, "gen_ai.request.frequency_penalty", request.FrequencyPenalty);
        Add(activity, "gen_ai.request.presence_penalty", request.PresencePenalty);
        if (request.MaxCompletionTokens is { } most)
        {
            activity.AddTag("gen_ai.request.max_tokens", most);
        }
    }

    /// <summary>Adds how a send ended.</summary>
    public static void AddResult(Activity activity, ReadOnlySpan<byte> body, string? model, Usage? usage, LlmException? failure)
    {
        if (failure is not null)
        {
            string kind = failure.Kind.ToString();
            activity.AddTag(Telemetry.ErrorType, kind);
            if (failure.StatusCode is { } status)
            {
                activity.AddTag("http.response.status_code", status);
            }

            // Not the message: a provider may repeat a part of the prompt in it.
            activity.SetStatus(ActivityStatusCode.Error, kind);
            return;
        }

        if (AnswerFacts.First(body, "\"id\""u8) is { IsEmpty: false } id)
        {
            activity.AddTag("gen_ai.response.id", Encoding.UTF8.GetString(id));
        }

        if (model is not null)
        {
            activity.AddTag(Telemetry.ResponseModel, model);
        }

        if (AnswerFacts.FinishReasons(body) is { } reasons)
        {
            activity.AddTag("gen_ai.response.finish_reasons", reasons);
        }

        if (usage is null)
        {
            return;
        }

        activity.AddTag("gen_ai.usage.input_tokens", usage.PromptTokens);
        activity.AddTag("gen_ai.usage.output_tokens", usage.CompletionTokens);
        Add(activity, "gen_ai.usage.cache_read.input_tokens", usage.CachedTokens);
        Add(activity, "gen_ai.usage.reasoning.output_tokens", usage.ReasoningTokens);
    }

    private static void Add(Activity activity, string name, double? value)
    {
        if (value is { } number)
        {
            activity.AddTag(name, number);
        }
    }

    private static void Add(Activity activity, string name, long count)
    {
        if (count > 0)
        {
            activity.AddTag(name, count);
        }
    }
}
