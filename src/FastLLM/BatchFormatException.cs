namespace FastLLM;

/// <summary>A batch file has wrong lines; none of it was used.</summary>
/// <remarks>The message names the first mistakes with their lines; <see cref="Errors"/> has them all. Lines are counted from 1.</remarks>
public sealed class BatchFormatException : FormatException
{
    private const int Shown = 10;

    internal BatchFormatException(IReadOnlyList<(long Line, string Error)> errors)
        : base(Describe(errors))
    {
        Errors = errors;
    }

    /// <summary>Gets each mistake with the line it stands in.</summary>
    public IReadOnlyList<(long Line, string Error)> Errors { get; }

    private static string Describe(IReadOnlyList<(long Line, string Error)> errors)
    {
        IEnumerable<string> shown = errors.Take(Shown).Select(e => $"line {e.Line}: {e.Error}");
        string more = errors.Count > Shown ? $"{Environment.NewLine}… and {errors.Count - Shown} more" : "";
        return string.Join(Environment.NewLine, shown) + more;
    }
}
