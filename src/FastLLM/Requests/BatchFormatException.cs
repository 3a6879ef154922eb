namespace FastLLM;

/// <summary>A batch file has wrong lines; none of it was used.</summary>
/// <remarks>The message names the first mistakes with their lines; <see cref="Errors"/> has more of them. Lines are counted from 1.</remarks>
public sealed class BatchFormatException : FormatException
{
    private const int Shown = 10;

    internal BatchFormatException(IReadOnlyList<(long Line, string Error)> errors, long? count = null)
        : base(Describe(errors, count ?? errors.Count))
    {
        Errors = errors;
        ErrorCount = count ?? errors.Count;
    }

    /// <summary>Gets the number of mistakes, which may be more than <see cref="Errors"/> names.</summary>
    public long ErrorCount { get; }

    /// <summary>Gets each mistake with the line it stands in.</summary>
    public IReadOnlyList<(long Line, string Error)> Errors { get; }

    private static string Describe(IReadOnlyList<(long Line, string Error)> errors, long count)
    {
        IEnumerable<string> shown = errors.Take(Shown).Select(e => $"line {e.Line}: {e.Error}");
        string more = count > Shown ? $"{Environment.NewLine}… and {count - Shown} more" : "";
        return string.Join(Environment.NewLine, shown) + more;
    }
}
