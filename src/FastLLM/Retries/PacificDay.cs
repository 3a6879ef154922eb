namespace FastLLM.Retries;

/// <summary>The day by which Google counts: it ends at midnight in California.</summary>
internal static class PacificDay
{
    /// <summary>When the day ends; <see langword="null"/> where the time or the time zone is not known.</summary>
    public static DateTimeOffset? End(DateTimeOffset? now)
    {
        if (now is not { } instant || !TimeZoneInfo.TryFindSystemTimeZoneById("America/Los_Angeles", out TimeZoneInfo? zone))
        {
            return null;
        }

        DateTime midnight = DateTime.SpecifyKind(TimeZoneInfo.ConvertTime(instant, zone).Date.AddDays(1), DateTimeKind.Unspecified);
        return new DateTimeOffset(midnight, zone.GetUtcOffset(midnight));
    }
}
