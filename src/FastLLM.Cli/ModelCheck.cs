using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Notices a forgotten or misspelled model before anything is sent.</summary>
internal static class ModelCheck
{
    /// <summary>Handles rows that name no model. Servers with one model may not need a name; providers refuse such rows, one by
    /// one.</summary>
    /// <param name="input">The name of the input.</param>
    /// <param name="rows">The number of lines without a model.</param>
    /// <param name="endpoint">The endpoint; <see langword="null"/> for a dry run without one.</param>
    /// <param name="notice">Shows a notice.</param>
    /// <exception cref="InvalidDataException">The provider requires a model.</exception>
    public static void OnMissing(string input, long rows, Endpoint? endpoint, Action<string> notice)
    {
        string what = rows == 1 ? "1 row names no model" : FormattableString.Invariant($"{rows:N0} rows name no model");
        if (endpoint is { Preset: { } preset } && (preset.IsSimulator || !preset.IsOwnServer))
        {
            string provider = preset.IsSimulator ? "the simulator" : preset.Title;
            string example = preset.IsSimulator || preset == Presets.OpenAI ? "--model gpt-4o-mini" : "--model NAME";
            throw new InvalidDataException(
                $"{input}: {what}, and {provider} requires one; nothing was sent. Add it, such as {example}.");
        }

        notice($"{input}: {what}, so the server chooses one. To choose it: --model NAME.");
    }

    /// <summary>Returns a note on a model that looks misspelled; <see langword="null"/> if it does not.</summary>
    public static string? NoteOn(string? model, Endpoint? endpoint, PriceTable? prices)
    {
        if (model is null || prices is null || endpoint is not { Preset.IsOwnServer: false } || prices.TryGet(model, out _)
            || Suggestion.For(model, prices.Names) is not { } name)
        {
            return null;
        }

        return $"The model \"{TerminalText.Clean(model, 60)}\" is not in the price table, so its cost is unknown. Did you mean {name}?";
    }
}
