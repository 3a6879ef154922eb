using System.Text.Json;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Represents a function of a request that is sent to a chat client. It keeps its JSON, so that nothing changes if that client is
/// one of this library.</summary>
internal sealed class DeclaredFunction : AIFunctionDeclaration
{
    private readonly JsonElement _function;

    /// <summary>Creates a function.</summary>
    /// <param name="json">The tool, as the request has it.</param>
    /// <exception cref="LlmException">The tool is not a function.</exception>
    public DeclaredFunction(JsonElement json)
    {
        if (json.Text("type") != "function")
        {
            throw MessageReading.NotSupported($"tool of type \"{json.Text("type")}\"");
        }

        Json = json;
        _function = json.GetProperty("function");
        Name = _function.GetProperty("name").GetString()!;
        if (RequestReading.StrictOf(_function) is { } strict)
        {
            AdditionalProperties = new Dictionary<string, object?> { [ChatTools.Strict] = strict };
        }
    }

    /// <summary>Gets the tool as the request has it.</summary>
    public JsonElement Json { get; }

    public override string Name { get; }

    public override string Description => _function.Text("description") ?? "";

    public override JsonElement JsonSchema => _function.TryGetProperty("parameters", out JsonElement parameters)
        ? parameters : JsonElement.Parse("""{"type":"object","properties":{}}""");

    public override IReadOnlyDictionary<string, object?> AdditionalProperties { get; } = new Dictionary<string, object?>();
}
