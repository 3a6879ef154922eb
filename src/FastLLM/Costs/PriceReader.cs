using System.Globalization;
using System.Text.Json;
using FastLLM.Json;
using System.Text.RegularExpressions;

namespace FastLLM.Costs;

/// <summary>Reads a table of prices in the community's form.</summary>
internal static partial class PriceReader
{
    // Beyond it, it is no price of a token, and sums would overflow.
    private const decimal Highest = 1_000m;
    private const long TokenUpperBound = 1_000_000_000_000;

    public static (Dictionary<string, ModelPrice> Prices, DateOnly? Date) Read(Stream stream)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(stream,
                new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
        }
        catch (JsonException e)
        {
            throw new FormatException(JsonFault.Describe("The table of prices", e), e);
        }

        using (document)
        {
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new FormatException("The table of prices is not a JSON object from model names to prices.");
            }

            var prices = new Dictionary<string, ModelPrice>(StringComparer.Ordinal);
            DateOnly? date = null;
            foreach (JsonProperty member in document.RootElement.EnumerateObject())
            {
                if (member.Value.ValueKind == JsonValueKind.Object)
                {
                    if (ReadModel(member.Name, member.Value) is { } price)
                    {
                        prices[member.Name] = price;
                    }
                }
                else if (member.Name == "date" && member.Value.ValueKind == JsonValueKind.String
                    && DateOnly.TryParseExact(member.Value.GetString(), "yyyy-MM-dd",
                        CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly day))
                {
                    date = day;
                }
            }

            return (prices, date);
        }
    }

    /// <summary>Checks a price and adds what follows from it.</summary>
    public static ModelPrice Complete(ModelPrice price)
    {
        foreach ((decimal? value, string name) in ((decimal?, string)[])
            [(price.Input, nameof(price.Input)), (price.Output, nameof(price.Output)),
            (price.CachedInput, nameof(price.CachedInput)), (price.Reasoning, nameof(price.Reasoning))])
        {
            if (value is < 0 or > Highest)
            {
                throw new ArgumentOutOfRangeException(name, value, $"{name} must be between 0 and {Highest} dollars a token.");
            }
        }

        decimal input = Math.Max(price.Input, price.CachedInput ?? 0);
        decimal output = Math.Max(price.Output, price.Reasoning ?? 0);
        return price with { HighestInput = Math.Max(input, price.HighestInput), HighestOutput = Math.Max(output, price.HighestOutput) };
    }

    private static ModelPrice? ReadModel(string model, JsonElement entry)
    {
        bool isGood = entry.TryGetProperty("input_cost_per_token", out JsonElement inputElement)
            && inputElement.ValueKind == JsonValueKind.Number;
        if (!isGood)
        {
            return null;
        }

        decimal input = Price(model, "input_cost_per_token", inputElement);
        bool hasOutput = entry.TryGetProperty("output_cost_per_token", out JsonElement outputElement)
            && outputElement.ValueKind == JsonValueKind.Number;
        string? mode = entry.TryGetProperty("mode", out JsonElement modeElement) && modeElement.ValueKind == JsonValueKind.String
            ? modeElement.GetString()
            : null;
        if (!hasOutput && mode != "embedding")
        {
            return null;
        }

        decimal output = hasOutput ? Price(model, "output_cost_per_token", outputElement) : 0;
        decimal dearestInput = input;
        decimal dearestOutput = output;
        decimal perRequest = 0;
        string? otherPrice = null, picturePrice = null;
        var tiers = new SortedDictionary<long, PriceTier>();
        foreach (JsonProperty member in entry.EnumerateObject())
        {
            otherPrice ??= OtherPrices.IsOfAnyRequest(model, member) ? member.Name : null;
            picturePrice ??= OtherPrices.IsOfPictures(member, input) ? member.Name : null;

            // Prices of other ways to be served (batches, flex, priority) are not those of a plain request.
            if (member.Value.ValueKind != JsonValueKind.Number || OtherService().IsMatch(member.Name))
            {
                continue;
            }

            string name = member.Name;
            if (name.StartsWith("input_cost_per_token", StringComparison.Ordinal)
                || name.StartsWith("cache_creation_input_token_cost", StringComparison.Ordinal)
                || name.StartsWith("cache_read_input_token_cost", StringComparison.Ordinal))
            {
                dearestInput = Math.Max(dearestInput, Price(model, name, member.Value));
            }
            else if (name.StartsWith("output_cost_per_token", StringComparison.Ordinal) || name == "output_cost_per_reasoning_token")
            {
                dearestOutput = Math.Max(dearestOutput, Price(model, name, member.Value));
            }
            else if (OtherPrices.IsPerRequest(name))
            {
                perRequest += Price(model, name, member.Value);
            }

            if (Above().Match(name) is { Success: true } match)
            {
                long above = long.Parse(match.Groups["k"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) * 1000;
                decimal price = Price(model, name, member.Value);
                PriceTier tier = tiers.GetValueOrDefault(above) ?? new PriceTier(above, null, null, null);
                tiers[above] = match.Groups["what"].Value switch
                {
                    "input_cost_per_token" => tier with { Input = price },
                    "output_cost_per_token" => tier with { Output = price },
                    _ => tier with { CachedInput = price },
                };
            }
        }

        return new ModelPrice
        {
            Input = input,
            Output = output,
            CachedInput = Optional(model, entry, "cache_read_input_token_cost"),
            CacheWrite = Optional(model, entry, "cache_creation_input_token_cost"),
            HourCacheWrite = Optional(model, entry, "cache_creation_input_token_cost_above_1hr"),
            Reasoning = Optional(model, entry, "output_cost_per_reasoning_token"),
            MaxOutputTokens = mode == "embedding" ? 0 : Tokens(entry, "max_output_tokens") ?? Tokens(entry, "max_tokens"),
            HighestInput = dearestInput,
            HighestOutput = dearestOutput,
            PerRequest = perRequest,
            OtherPrice = otherPrice,
            PicturePrice = picturePrice,
            Tiers = [.. tiers.Values],
        };
    }

    private static decimal? Optional(string model, JsonElement entry, string name) =>
        entry.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? Price(model, name, value) : null;

    private static decimal Price(string model, string name, JsonElement value) =>
        value.TryGetDecimal(out decimal price) && price is >= 0 and <= Highest
        ? price
        : throw new FormatException($"{name} of \"{Start(model, 100)}\" is no price: {Start(value.GetRawText(), 40)}.");

    private static string Start(string text, int length) => text.Length > length ? text[..length] : text;

    private static long? Tokens(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetDecimal(out decimal tokens)
            && tokens is >= 1 and <= TokenUpperBound
            ? (long)tokens
            : null;

    [GeneratedRegex(@"^(?<what>input_cost_per_token|output_cost_per_token|cache_read_input_token_cost)_above_(?<k>[0-9]{1,6})k_tokens$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Above();

    [GeneratedRegex("_(batches|batch|flex|priority)(_|$)", RegexOptions.CultureInvariant)]
    private static partial Regex OtherService();
}
