using System.Globalization;

namespace FastLLM.RateLimiting;

/// <summary>The law by which a provider refuses sends, as far as it is known. Several parts may hold at once.</summary>
/// <param name="RandomShare">The share of all sends that is refused whatever the client does; 0 where there is none.</param>
/// <param name="InFlight">How many the provider takes at once; <see langword="null"/> where no such limit was found.</param>
/// <param name="PerSecond">How many the provider takes a second; <see langword="null"/> where no such limit was found.</param>
internal readonly record struct ThrottlingLaw(double RandomShare, int? InFlight, double? PerSecond)
{
    /// <summary>Gets a value indicating whether the provider has shown no limit.</summary>
    public bool IsNone => RandomShare == 0 && InFlight is null && PerSecond is null;

    /// <summary>Gets a value indicating whether refusals are nothing but noise, so that a refused request may go again at once.</summary>
    public bool IsOnlyRandom => RandomShare > 0 && InFlight is null && PerSecond is null;

    /// <summary>Describes the law for progress and reports, for example "about 20 in flight, refuses 10 % at random".</summary>
    /// <returns>The description; an empty text where there is no limit.</returns>
    public override string ToString()
    {
        string?[] parts =
        [
            InFlight is { } inFlight ? string.Create(CultureInfo.InvariantCulture, $"about {inFlight} in flight") : null,
            PerSecond is { } perSecond ? string.Create(CultureInfo.InvariantCulture, $"about {Round(perSecond)} requests/s") : null,
            RandomShare > 0 ? string.Create(CultureInfo.InvariantCulture, $"refuses {Percent} % at random") : null,
        ];
        return string.Join(", ", parts.Where(static part => part is not null));
    }

    private double Percent => Math.Max(1, Math.Round(RandomShare * 100));

    // Two significant digits: more would claim a precision that an estimate does not have.
    private static double Round(double value)
    {
        double unit = Math.Pow(10, Math.Floor(Math.Log10(value)) - 1);
        return Math.Round(Math.Round(value / unit) * unit, 2);
    }
}
