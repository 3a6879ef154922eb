using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Formats and parses amounts in US dollars. Amounts below $1 keep three significant digits.</summary>
internal static class CostText
{
    private const int MaxDecimals = 10;

    /// <summary>Formats an amount, such as <c>$1,234.57</c>, <c>$0.0123</c> or <c>$0.0000045</c>.</summary>
    public static string Dollars(decimal amount)
    {
        int decimals = 2;
        if (amount < 1)
        {
            decimals = 3; // significant digits
            for (decimal rest = amount; rest is > 0 and < 0.1m && decimals < MaxDecimals; rest *= 10)
            {
                decimals++;
            }
        }

        decimal rounded = Math.Round(amount, decimals, MidpointRounding.AwayFromZero);
        return rounded >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"${rounded:N2}")
            : string.Create(CultureInfo.InvariantCulture, $"${rounded:0.00########}");
    }

    /// <summary>Parses the amount of an option.</summary>
    /// <exception cref="UsageException">The text is not an amount.</exception>
    public static decimal Parse(string option, string text)
    {
        string digits = text.StartsWith('$') ? text[1..] : text;
        return decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal amount)
            && amount is >= 0 and <= 1_000_000_000
            ? amount
            : throw UsageException.Invalid(option, text, "Use an amount in US dollars, such as 2.50.");
    }
}
