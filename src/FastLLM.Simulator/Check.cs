using System.Globalization;
using System.Numerics;

namespace FastLLM.Simulator;

/// <summary>Checks values that are set, and returns them.</summary>
internal static class Check
{
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range or not a number.</exception>
    public static T Between<T>(T value, T min, T max, string name)
        where T : struct, IComparable<T> =>
        value.CompareTo(min) >= 0 && value.CompareTo(max) <= 0
            ? value
            : throw Wrong(value, string.Create(CultureInfo.InvariantCulture, $"{name} must be between {min} and {max}."), name);

    /// <exception cref="ArgumentOutOfRangeException">The value is less than <paramref name="min"/>.</exception>
    public static T? AtLeast<T>(T? value, T min, string name)
        where T : struct, INumber<T> =>
        value is null || value >= min ? value : throw Wrong(value, $"{name} must be at least {min}.", name);

    /// <exception cref="ArgumentOutOfRangeException">The value is not more than 0, or more than <paramref name="max"/>.</exception>
    public static double Positive(double value, double max, string name) =>
        value > 0 && value <= max
            ? value
            : throw Wrong(value, string.Create(CultureInfo.InvariantCulture, $"{name} must be more than 0 and at most {max}."), name);

    /// <summary>Checks a list, and returns an immutable copy.</summary>
    /// <exception cref="ArgumentException">The list is <see langword="null"/>, or an item is.</exception>
    public static IReadOnlyList<T> Items<T>(IReadOnlyList<T> items, string name)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(items, name);
        T[] copy = [.. items];
        return Array.IndexOf(copy, null) < 0 ? Array.AsReadOnly(copy) : throw new ArgumentException($"{name} contains null.", name);
    }

    private static ArgumentOutOfRangeException Wrong(object? value, string message, string name) => new(name, value, message);
}
