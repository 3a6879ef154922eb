using System.Globalization;

namespace FastLLM.Cli;

/// <summary>US dollars for people: cents where there are dollars, else as many digits as say something.</summary>
internal static class CostText
{
    private const int MaxDecimals = 10;

    /// <summary><c>$1,234.57</c>, <c>$0.0123</c>, <c>$0.0000045</c>.</summary>
    public static string Dollars(decimal amount)
    {
        int decimals = 2;
        if (amount < 1)
        {
            // Three digits that count.
            decimals = 3;
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

    /// <summary>Reads an amount that somebody gave.</summary>
    /// <exception cref="UsageException">It is none.</exception>
    public static decimal Parse(string option, string text)
    {
        string digits = text.StartsWith('$') ? text[1..] : text;
        return decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal amount) && amount is >= 0 and <= 1_000_000_000
            ? amount
            : throw new UsageException($"{option} \"{TerminalText.Clean(text, 40)}\" is no amount of US dollars, such as 2.50.");
    }
}
