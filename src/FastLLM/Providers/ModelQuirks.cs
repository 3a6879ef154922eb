using System.Collections.Concurrent;

namespace FastLLM.Providers;

/// <summary>Stores what is known of models by their names, or was learned from their refusals.</summary>
internal sealed class ModelQuirks
{
    private readonly ConcurrentDictionary<string, bool> _refusesTemperature = new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, Streams> _streams = new(StringComparer.Ordinal);

    /// <summary>Describes how a model handles streaming.</summary>
    [Flags]
    public enum Streams
    {
        /// <summary>Unknown.</summary>
        None = 0,

        /// <summary>A stream has been assembled.</summary>
        Proven = 1,

        /// <summary>The token usage of a stream is not requested any more.</summary>
        RefusesOptions = 2,

        /// <summary>Streams are not requested any more.</summary>
        Refuses = 4,
    }

    /// <summary>Returns whether the model reasons before it answers, so that 30 s are too short.</summary>
    /// <remarks>Decided by the names of OpenAI, DeepSeek and Qwen; a wrong guess only makes a timeout longer.</remarks>
    public static bool Reasons(string? model) => model is not null
        && (IsOpenAIReasoning(Bare(model)) || model.Contains("reason", StringComparison.OrdinalIgnoreCase)
            || model.Contains("thinking", StringComparison.OrdinalIgnoreCase) || model.Contains("-r1", StringComparison.OrdinalIgnoreCase)
            || model.Contains("qwq", StringComparison.OrdinalIgnoreCase));

    /// <summary>Returns whether the model refuses a temperature: OpenAI's reasoning models do, others are learned.</summary>
    public bool RefusesTemperature(string? model) =>
        model is not null && (IsOpenAIReasoning(Bare(model)) || _refusesTemperature.ContainsKey(model));

    /// <summary>Stores that the model refuses a temperature.</summary>
    /// <returns>Whether it was unknown.</returns>
    public bool LearnRefusesTemperature(string model) => _refusesTemperature.TryAdd(model, true);

    /// <summary>Gets what is known of a model's streams.</summary>
    public Streams StreamsOf(string? model) => _streams.GetValueOrDefault(model ?? "");

    /// <summary>Stores something about a model's streams.</summary>
    /// <returns>Whether it was unknown.</returns>
    public bool Learn(string? model, Streams learned)
    {
        string name = model ?? "";
        while (true)
        {
            Streams known = _streams.GetOrAdd(name, Streams.None);
            if ((known & learned) == learned)
            {
                return false;
            }

            if (_streams.TryUpdate(name, known | learned, known))
            {
                return true;
            }
        }
    }

    private static bool IsOpenAIReasoning(ReadOnlySpan<char> model) =>
        model is ['o', '1' or '3' or '4', ..] && (model.Length == 2 || model[2] == '-')
        || (model.StartsWith("gpt-5", StringComparison.Ordinal) && !model.Contains("chat", StringComparison.Ordinal));

    // Routers put the vendor before the name: openai/o3.
    private static ReadOnlySpan<char> Bare(string model) => model.AsSpan(model.LastIndexOf('/') + 1);
}
