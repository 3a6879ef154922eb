using System.Globalization;

namespace FastLLM.Benchmarks.ClusterLimits;

/// <summary>A limit, and what happens to the workers that share it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Laws">By which the provider refuses.</param>
/// <param name="PerSecond">What the law allows.</param>
/// <param name="Options">What the job is submitted with.</param>
/// <param name="Settles">The seconds until figures count.</param>
/// <param name="Used">The least that should be used.</param>
/// <param name="Refused">The most that may be refused.</param>
internal sealed record LimitScenario(
    string Name, IReadOnlyList<string> Laws, double PerSecond, IReadOnlyList<string> Options, double Settles, double Used, double Refused)
{
    /// <summary>Gets the scenarios that the documents state.</summary>
    public static IReadOnlyList<LimitScenario> All { get; } =
    [
        new("configured", ["sliding:3000/60s"], 50, ["--rpm", "3000"], 5, 0.95, 0.005),
        new("learned", ["bucket:50/s,burst:10"], 50, [], 20, 0.9, 0.03),
        new("learned-burst", ["bucket:50/s"], 50, [], 20, 0.9, 0.03),
    ];
}

/// <summary>What happens at a moment: <c>60:kill</c>.</summary>
/// <param name="At">The seconds after the first send.</param>
/// <param name="What">What happens: <c>term</c>, <c>kill</c>, <c>add</c>, <c>freeze</c>, <c>wake</c>, <c>store-away</c>, <c>store-back</c>,
/// <c>broker-away</c>, <c>broker-back</c>, <c>end</c>.</param>
internal sealed record PlannedEvent(double At, string What)
{
    public static PlannedEvent[] Parse(string text) =>
    [
        .. text.Split(',').Select(static one => one.Split(':'))
            .Select(static parts => new PlannedEvent(double.Parse(parts[0], CultureInfo.InvariantCulture), parts[1])),
    ];
}
