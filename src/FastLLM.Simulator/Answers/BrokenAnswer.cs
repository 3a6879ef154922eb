namespace FastLLM.Simulator.Answers;

/// <summary>Breaks answers as models do: words before the JSON or the label that was requested. The body stays a whole response.</summary>
internal static class BrokenAnswer
{
    /// <summary>The words before the answer.</summary>
    public const string Words = "Here is the answer you wanted: ";

    /// <summary>Computes whether the answer to a body is broken: a pure function of the seed, the rate and the body.</summary>
    public static bool Hits(SimulatorOptions options, BodyHash hash) =>
        options.BrokenRate > 0 && hash.Fraction((uint)options.Seed + (5UL << 32)) < options.BrokenRate;

    /// <summary>Breaks the first choice of an answer that is written already; nothing if it has no text.</summary>
    public static void Break(JsonOut output)
    {
        ReadOnlySpan<byte> written = output.Written.Span;
        int name = written.IndexOf("\"content\":"u8);
        int quote = name < 0 ? -1 : name + "\"content\":"u8.Length;
        quote += quote >= 0 && written[quote] == ' ' ? 1 : 0;
        if (quote < 0 || written[quote] != '"')
        {
            return;
        }

        byte[] rest = written[(quote + 1)..].ToArray();
        output.Length = quote + 1;
        output.Raw(System.Text.Encoding.UTF8.GetBytes(Words));
        output.Raw(rest);
    }
}
