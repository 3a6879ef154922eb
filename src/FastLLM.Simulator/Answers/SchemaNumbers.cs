namespace FastLLM.Simulator.Answers;

/// <summary>Makes numbers within the bounds of a schema.</summary>
internal static class SchemaNumbers
{
    private const decimal Width = 100; // where a schema leaves it open
    private const ulong Steps = 10_000;

    /// <exception cref="SchemaException">No number fits.</exception>
    public static decimal Make(SchemaParts parts, SchemaDraws draws, bool isWhole, string name)
    {
        decimal? least = Higher(parts.Bound("minimum"), parts.Bound("exclusiveMinimum"));
        decimal? most = Lower(parts.Bound("maximum"), parts.Bound("exclusiveMaximum"));
        decimal step = parts.Bound("multipleOf") is > 0 and var multiple ? multiple : isWhole ? 1 : 0;
        try
        {
            decimal from = least ?? (most is { } top ? top - Width : 0), to = most ?? from + Width;
            decimal drawn = from + ((to - from) * (draws.Next() % Steps / (decimal)Steps));
            drawn = step == 0 ? Shorter(drawn, from, to) : Math.Floor(drawn / step) * step;
            decimal lowest = step == 0 ? from : Math.Ceiling(from / step) * step;
            foreach (decimal number in (decimal[])[drawn, drawn + step, lowest, lowest + step, from + ((to - from) / 2)])
            {
                if (Fits(number, parts) && (step == 0 || number % step == 0) && (!isWhole || number == Math.Floor(number)))
                {
                    return number / 1.000000000000000000000000000000m; // without trailing zeros
                }
            }
        }
        catch (OverflowException)
        {
        }

        throw new SchemaException($"no number fits its bounds, at '{name}'");
    }

    private static bool Fits(decimal number, SchemaParts parts) =>
        !(number < parts.Bound("minimum") || number > parts.Bound("maximum")
            || number <= parts.Bound("exclusiveMinimum") || number >= parts.Bound("exclusiveMaximum"));

    // Two digits where they suffice.
    private static decimal Shorter(decimal number, decimal from, decimal to) =>
        Math.Round(number, 2) is var rounded && rounded > from && rounded < to ? rounded : number;

    private static decimal? Higher(decimal? first, decimal? second) => first is null || second > first ? second : first;

    private static decimal? Lower(decimal? first, decimal? second) => first is null || second < first ? second : first;
}
