using System.Globalization;

namespace FastLLM.Requests;

/// <summary>Checks the documented ranges of sampling parameters.</summary>
internal static class Ranges
{
    /// <summary>Returns the value if it is in range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range; the message names field, value and range.</exception>
    public static double? Check(double? value, double least, double most, string name)
    {
        if (value is { } number && !(number >= least && number <= most))
        {
            throw new ArgumentOutOfRangeException(name, value, string.Create(
                CultureInfo.InvariantCulture, $"{name} is {number}, but must be between {least} and {most}."));
        }

        return value;
    }
}
