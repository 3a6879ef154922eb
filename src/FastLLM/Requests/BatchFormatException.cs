using System.Globalization;
using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM;

/// <summary>The exception that is thrown if a batch file has invalid lines. No line of it was used.</summary>
/// <remarks>The message names the first errors with their lines; <see cref="Errors"/> has more. Lines are counted from 1.</remarks>
public sealed class BatchFormatException : FormatException
{
    private const int Shown = 10;
    private const int ShownLines = 3;

    internal BatchFormatException(
        IReadOnlyList<(long Line, string Error)> errors, long? count = null, IReadOnlyDictionary<string, long>? alike = null)
        : base(Describe(errors, count ?? errors.Count, alike))
    {
        Errors = errors;
        ErrorCount = count ?? errors.Count;
    }

    /// <summary>Gets the number of errors, which may be greater than the number of <see cref="Errors"/>.</summary>
    public long ErrorCount { get; }

    /// <summary>Gets the errors with their lines.</summary>
    public IReadOnlyList<(long Line, string Error)> Errors { get; }

    // Errors that are alike share a line: a column that is empty in a thousand rows is one thing to correct.
    private static string Describe(IReadOnlyList<(long Line, string Error)> errors, long count, IReadOnlyDictionary<string, long>? alike)
    {
        var text = new StringBuilder();
        long left = count;
        foreach (IGrouping<string, long> group in errors.GroupBy(e => e.Error, e => e.Line, StringComparer.Ordinal).Take(Shown))
        {
            long rows = alike is not null && alike.TryGetValue(group.Key, out long known) ? known : group.Count();
            string lines = string.Join(", ", group.Take(ShownLines).Select(static line => line.ToString(CultureInfo.InvariantCulture)));
            string more = rows > ShownLines ? string.Create(CultureInfo.InvariantCulture, $" and {rows - ShownLines:N0} more") : "";
            text.Append(text.Length > 0 ? Environment.NewLine : "")
                .Append(rows == 1 ? "line " : "lines ").Append(lines).Append(more).Append(": ").Append(SingleLine.Of(group.Key));
            left -= rows;
        }

        return left > 0 ? string.Create(CultureInfo.InvariantCulture, $"{text}{Environment.NewLine}… and {left:N0} more") : text.ToString();
    }
}
