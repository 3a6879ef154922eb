namespace FastLLM.RateLimiting;

/// <summary>Represents what a process has sent of a limit that it shares, and what it wants to send.</summary>
/// <param name="Limit">The limit a minute.</param>
/// <param name="Sent">What was sent, by its age in steps of <see cref="Step"/>, the youngest first. It holds all that was sent, so a report
/// that comes twice, or is the first one that arrives, is as good as any other.</param>
/// <param name="Pending">What is about to be sent.</param>
/// <param name="Kept">What may still be sent while the report is on its way.</param>
/// <param name="Wants">What is wanted a second.</param>
/// <param name="Need">What one send takes: less is of no use.</param>
internal sealed record PermitReport(double Limit, double[] Sent, double Pending, double Kept, double Wants, double Need)
{
    /// <summary>The length of a step, in seconds.</summary>
    public const double Step = 0.5;

    /// <summary>So many steps are longer than what was sent counts.</summary>
    public const int Steps = 122;
}

/// <summary>Represents what a process may send of a limit that it shares, counted from its report on.</summary>
/// <param name="Amount">The amount, with what was kept.</param>
/// <param name="PerSecond">The amount a second.</param>
/// <param name="ValidFor">For how many seconds it may be used, from the report on.</param>
internal sealed record PermitGrant(double Amount, double PerSecond, double ValidFor);
