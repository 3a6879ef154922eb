using FastLLM.Diagnostics;

namespace FastLLM;

/// <summary>The exception that is thrown if a batch file has invalid lines. No line of it was used.</summary>
/// <remarks>The message names the first errors with their lines; <see cref="Errors"/> has more. Lines are counted from 1.</remarks>
public sealed class BatchFormatException : FormatException
{
    private const int Shown = 10;

    internal BatchFormatException(IReadOnlyList<(long Line, string Error)> errors, long? count = null)
        : base(Describe(errors, count ?? errors.Count))
    {
        Errors = errors;
        ErrorCount = count ?? errors.Count;
    }

    /// <summary>Gets the number of errors, which may be greater than the number of <see cref="Errors"/>.</summary>
    public long ErrorCount { get; }

    /// <summary>Gets the errors with their lines.</summary>
    public IReadOnlyList<(long Line, string Error)> Errors { get; }

    private static string Describe(IReadOnlyList<(long Line, string Error)> errors, long count)
    {
        IEnumerable<string> shown = errors.Take(Shown).Select(e => $"line {e.Line}: {SingleLine.Of(e.Error)}");
        string more = count > Shown ? $"{Environment.NewLine}… and {count - Shown} more" : "";
        return string.Join(Environment.NewLine, shown) + more;
    }
}
