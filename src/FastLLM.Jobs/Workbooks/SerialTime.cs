namespace FastLLM.Jobs.Workbooks;

/// <summary>Converts the day numbers of workbooks to dates and times, and back.</summary>
internal static class SerialTime
{
    private const int DaysFrom1900To1904 = 1462;
    private const double FakeLeapDay = 60; // 1900-02-29, which Excel has
    private const double MaxDay = 2_958_466; // 10000-01-01

    /// <summary>Gets the <see cref="DateTime"/> of a day number, or the <see cref="TimeSpan"/> of a time or a duration.</summary>
    /// <returns>The time; <see langword="null"/> if the number is none.</returns>
    public static object? Of(double serial, NumberKind kind, bool isFrom1904)
    {
        if (serial < 0 || serial >= MaxDay)
        {
            return null;
        }

        if (kind == NumberKind.Time)
        {
            return TimeSpan.FromMilliseconds(Math.Round(serial * TimeSpan.MillisecondsPerDay));
        }

        serial += isFrom1904 ? DaysFrom1900To1904 : serial < FakeLeapDay ? 1 : 0;
        return serial < MaxDay ? DateTime.FromOADate(serial) : null;
    }

    /// <summary>Gets the day number of a time; <see langword="null"/> if a workbook has none for it.</summary>
    public static double? Of(object time) => time switch
    {
        DateTime date when date.Year >= 1900 => date.ToOADate() is var serial && serial < FakeLeapDay + 1 ? serial - 1 : serial,
        TimeSpan span when span >= TimeSpan.Zero && span.TotalDays < MaxDay => span.TotalDays,
        _ => null,
    };
}
