using System.Text.Json;
using System.Text.RegularExpressions;

namespace FastLLM.Costs;

/// <summary>Knows the prices of a table that are not for tokens of text: what they add to a request has no known bound.</summary>
internal static partial class OtherPrices
{
    /// <summary>Returns whether a key is the price of a request, whatever its length.</summary>
    public static bool IsPerRequest(string key) => key is "input_cost_per_request" or "output_cost_per_request";

    /// <summary>Returns whether any request may cost more than its tokens because of a price.</summary>
    public static bool IsOfAnyRequest(string model, JsonProperty price) => price.Name switch
    {
        "tiered_pricing" => price.Value.ValueKind == JsonValueKind.Array && price.Value.GetArrayLength() > 0,
        "search_context_cost_per_query" => Searches().IsMatch(model) && IsSet(price.Value),
        _ => price.Name.Contains("cost", StringComparison.Ordinal) && !Known().IsMatch(price.Name) && IsSet(price.Value),
    };

    /// <summary>Returns whether a request with pictures may cost more than its tokens because of a price.</summary>
    public static bool IsOfPictures(JsonProperty price, decimal input) =>
        price.Name.StartsWith("input_cost_per_image", StringComparison.Ordinal) && IsSet(price.Value)
        && !(price.Name.Contains("token", StringComparison.Ordinal) && price.Value.TryGetDecimal(out decimal cost) && cost <= input);

    private static bool IsSet(JsonElement price) => price.ValueKind switch
    {
        JsonValueKind.Number => !price.TryGetDecimal(out decimal number) || number != 0,
        JsonValueKind.Object => price.EnumerateObject().Any(static member => IsSet(member.Value)),
        _ => false,
    };

    // Models that search without being asked to.
    [GeneratedRegex("(^|[/-])(sonar|search|perplexity|online)([/-]|$)", RegexOptions.CultureInvariant)]
    private static partial Regex Searches();

    // Of tokens; of what no request under a budget may have (sound, films, tools); of other ways to be served; of tokens in another unit.
    [GeneratedRegex("^(input_cost_per_token|output_cost_per_token|cache_creation_input_token_cost|cache_read_input_token_cost"
        + "|output_cost_per_reasoning_token|(input|output)_cost_per_request$|input_cost_per_image|cache_read_input_image_token_cost"
        + "|code_interpreter_|computer_use_|file_search_|vector_store_|web_search_|google_maps_|ocr_|annotation_)"
        + "|audio|video|_dbu?_cost|_(batches|batch|flex|priority)(_|$)", RegexOptions.CultureInvariant)]
    private static partial Regex Known();
}
