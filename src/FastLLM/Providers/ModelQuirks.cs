using System.Collections.Concurrent;

namespace FastLLM.Providers;

/// <summary>What is known of models by their name, or was learnt from their refusals.</summary>
internal sealed class ModelQuirks
{
    private readonly ConcurrentDictionary<string, bool> _refusesTemperature = new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, Streams> _streams = new(StringComparer.Ordinal);

    /// <summary>How a model takes to being asked for a stream.</summary>
    [Flags]
    public enum Streams
    {
        /// <summary>Not known yet.</summary>
        None = 0,

        /// <summary>A stream of it has been put together.</summary>
        Proven = 1,

        /// <summary>It is not asked for the count of tokens in a stream any more.</summary>
        RefusesOptions = 2,

        /// <summary>It is not asked for streams any more.</summary>
        Refuses = 4,
    }

    /// <summary>Whether the model spends time on reasoning before it answers, so that 30 s are too short for it.</summary>
    /// <remarks>By name, as OpenAI, DeepSeek and Qwen name theirs; a wrong guess costs only patience.</remarks>
    public static bool Reasons(string? model) => model is not null
        && (IsOpenAIReasoning(Bare(model)) || model.Contains("reason", StringComparison.OrdinalIgnoreCase)
            || model.Contains("thinking", StringComparison.OrdinalIgnoreCase) || model.Contains("-r1", StringComparison.OrdinalIgnoreCase)
            || model.Contains("qwq", StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether the model refuses a temperature: OpenAI's reasoning models do, and others say so when asked.</summary>
    public bool RefusesTemperature(string? model) =>
        model is not null && (IsOpenAIReasoning(Bare(model)) || _refusesTemperature.ContainsKey(model));

    /// <summary>Remembers that the model refuses a temperature.</summary>
    /// <returns>Whether that is news.</returns>
    public bool LearnRefusesTemperature(string model) => _refusesTemperature.TryAdd(model, true);

    /// <summary>What is known of a model's streams.</summary>
    public Streams StreamsOf(string? model) => _streams.GetValueOrDefault(model ?? "");

    /// <summary>Remembers something of a model's streams.</summary>
    /// <returns>Whether that is news.</returns>
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

    // Routers put the maker before the name: openai/o3.
    private static ReadOnlySpan<char> Bare(string model) => model.AsSpan(model.LastIndexOf('/') + 1);
}
