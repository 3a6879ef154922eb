using System.Globalization;

namespace FastLLM;

/// <summary>Represents the limits of a provider for one model, as far as its refusals have shown them.</summary>
public sealed record LearnedLimits
{
    /// <summary>Gets the model; an empty string if requests name none.</summary>
    public string Model { get; init; } = "";

    /// <summary>Gets the share of all sends that is refused at random, whatever the rate, from 0 to 1.</summary>
    public double RefusedAtRandom { get; init; }

    /// <summary>Gets how many requests the provider accepts at once; <see langword="null"/> if it has shown no such limit.</summary>
    public int? InFlight { get; init; }

    /// <summary>Gets how many requests the provider accepts per second; <see langword="null"/> if it has shown no such limit.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>Describes the limits, for example "about 20 in flight, refuses 10 % at random".</summary>
    /// <returns>The description, without the model.</returns>
    public override string ToString()
    {
        string?[] parts =
        [
            InFlight is { } inFlight ? string.Create(CultureInfo.InvariantCulture, $"about {inFlight} in flight") : null,
            RequestsPerSecond is { } rate ? string.Create(CultureInfo.InvariantCulture, $"about {Round(rate)} requests/s") : null,
            RefusedAtRandom > 0 ? string.Create(CultureInfo.InvariantCulture, $"refuses {Percent(RefusedAtRandom)} % at random") : null,
        ];
        return string.Join(", ", parts.Where(static part => part is not null));
    }

    private static double Percent(double share) => Math.Max(1, Math.Round(share * 100));

    // Two significant digits: more would claim a precision that an estimate does not have.
    private static double Round(double value)
    {
        double unit = Math.Pow(10, Math.Floor(Math.Log10(value)) - 1);
        return Math.Round(Math.Round(value / unit) * unit, 2);
    }
}
