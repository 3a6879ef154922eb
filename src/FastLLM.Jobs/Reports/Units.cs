using System.Globalization;

namespace FastLLM.Jobs.Reports;

/// <summary>Formats numbers for people.</summary>
internal static class Units
{
    public static string Time(long milliseconds) => milliseconds switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds} ms"),
        < 60_000 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 1000.0:0.##} s"),
        < 3_600_000 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 60_000} min {milliseconds / 1000 % 60:00} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 3_600_000:N0} h {milliseconds / 60_000 % 60:00} min"),
    };

    public static string Number(long number) => number switch
    {
        < 10_000 => number.ToString("N0", CultureInfo.InvariantCulture),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{number / 1e3:0.#}k"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{number / 1e6:0.##}M"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{number / 1e9:0.##}G"),
    };

    /// <summary>Formats a share in percent. A small share is not shown as 0 %, nor one of nearly all as 100 %.</summary>
    public static string Percent(long part, long whole)
    {
        double percent = whole == 0 ? 0 : 100.0 * part / whole;
        return percent is > 0 and < 0.1 ? "< 0.1 %"
            : percent is > 99.9 and < 100 ? "> 99.9 %"
            : string.Create(CultureInfo.InvariantCulture, $"{percent:0.#} %");
    }
}
