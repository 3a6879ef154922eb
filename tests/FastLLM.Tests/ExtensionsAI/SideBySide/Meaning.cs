using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace FastLLM.Tests.ExtensionsAI.SideBySide;

/// <summary>Reduces requests and responses to what they mean, so that two of them can be compared.</summary>
internal static class Meaning
{
    /// <summary>White space in the arguments of calls and in results, empty descriptions, and a tool choice of <c>auto</c> mean nothing.</summary>
    public static string Of(JsonNode? body) => Sorted(body, "")?.ToJsonString() ?? "null";

    /// <summary>The contents, kinds and numbers of a response; reasoning first.</summary>
    public static string Of(ChatResponse response) => string.Join('\n',
    [
        $"{response.ResponseId} {response.ModelId} {response.FinishReason} {response.CreatedAt:O}",
        .. response.Messages.Select(message => $"{message.Role} {message.MessageId} {message.CreatedAt:O}"),
        .. response.Messages.SelectMany(message => message.Contents).OrderBy(content => content is not TextReasoningContent).Select(Of),
        Of(response.Usage),
    ]);

    public static string Of(ChatResponseUpdate update) => string.Join(' ',
        [update.Role?.Value, update.ResponseId, update.MessageId, update.ModelId, $"{update.CreatedAt:O}", .. update.Contents.Select(Of)]);

    private static string Of(AIContent content) => content switch
    {
        TextContent text => $"text {text.Text} {string.Join(',', text.Annotations?.OfType<CitationAnnotation>().Select(Of) ?? [])}",
        TextReasoningContent reasoning => $"reasoning {reasoning.Text}",
        FunctionCallContent call => $"call {call.CallId} {call.Name} {JsonSerializer.Serialize(call.Arguments ?? new Dictionary<string, object?>(), AIJsonUtilities.DefaultOptions)} {call.Exception is not null}",
        ErrorContent error => $"error {error.Message} {error.ErrorCode}",
        DataContent data => $"data {data.Uri}",
        UsageContent usage => Of(usage.Details),
        _ => content.GetType().Name,
    };

    private static string Of(CitationAnnotation citation) =>
        $"{citation.Title} {citation.Url} {string.Join(',', citation.AnnotatedRegions?.OfType<TextSpanAnnotatedRegion>().Select(region => $"{region.StartIndex}-{region.EndIndex}") ?? [])}";

    // Of additional counts, zero and none mean the same.
    private static string Of(UsageDetails? usage) => usage is null ? "no usage"
        : $"{usage.InputTokenCount} {usage.OutputTokenCount} {usage.TotalTokenCount} {usage.CachedInputTokenCount} {usage.ReasoningTokenCount} "
            + string.Join(' ', (usage.AdditionalCounts ?? []).Where(count => count.Value != 0).OrderBy(count => count.Key, StringComparer.Ordinal).Select(count => $"{count.Key}={count.Value}"));

    private static JsonNode? Sorted(JsonNode? node, string name) => node switch
    {
        JsonObject members => new JsonObject(members
            .Where(member => !IsText(member, "description", "") && !IsText(member, "tool_choice", "auto"))
            .OrderBy(member => member.Key, StringComparer.Ordinal)
            .Select(member => KeyValuePair.Create(member.Key, Sorted(member.Value, member.Key)))),
        JsonArray items when name == "required" => new JsonArray([.. items.Select(item => item!.GetValue<string>()).Order(StringComparer.Ordinal).Select(item => (JsonNode)item)]),
        JsonArray items => new JsonArray([.. items.Select(item => Sorted(item, ""))]),
        JsonValue value when name is "arguments" or "content" && value.GetValueKind() == JsonValueKind.String => Parsed(value.GetValue<string>()),
        JsonValue value when value.GetValueKind() == JsonValueKind.Number => JsonValue.Create(value.GetValue<double>()),
        _ => node?.DeepClone(),
    };

    private static bool IsText(KeyValuePair<string, JsonNode?> member, string name, string text) =>
        member.Key == name && member.Value?.GetValueKind() == JsonValueKind.String && member.Value.GetValue<string>() == text;

    private static JsonNode? Parsed(string text)
    {
        try
        {
            return text.StartsWith('{') || text.StartsWith('[') ? Sorted(JsonNode.Parse(text), "") : text;
        }
        catch (JsonException)
        {
            return text;
        }
    }
}
