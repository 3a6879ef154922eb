using System.Text.Json;

namespace FastLLM.Costs;

/// <summary>Knows the fields of requests by which a server may choose another model, price or prompt, or sell more than tokens. What they
/// cost has no known bound.</summary>
internal static class UnboundedFields
{
    private const string OtherModel = "a choice of other models";
    private const string Search = "a search of the web";
    private const string Kept = "a conversation that the provider keeps";
    private const string Tool = "a tool that the provider runs";
    private const string Tier = "a service tier of another price";

    private static readonly (string Name, string What)[] s_fields =
    [
        ("models", OtherModel), ("fallbacks", OtherModel), ("route", OtherModel), ("provider", "a choice of providers"),
        ("previous_response_id", Kept), ("conversation", Kept), ("cached_content", Kept), ("cachedContent", Kept),
        ("web_search_options", Search), ("search_parameters", Search), ("google_search", Search), ("web_search", Search),
        ("enable_search", Search), ("search_options", Search), ("plugins", "a plugin of the provider"),
        ("data_sources", "data of the provider"),
        ("file_ids", "a file"), ("mcp_servers", Tool), ("container", Tool), ("prediction", "a predicted output"),
        ("audio", "an answer in sound"), ("modalities", "an answer that is no text"), ("response_modalities", "an answer that is no text"),
        ("image_config", "an answer that is no text"), ("enable_thinking", "reasoning beside the limit of the answer"),
        ("service_tier", Tier), ("serviceTier", Tier), ("speed", Tier), ("inference_geo", "a place of another price"),
        ("extra_body", "fields of the provider's own"),
    ];

    private static readonly string[] s_tools =
    [
        "google_search", "googleSearch", "google_search_retrieval", "googleSearchRetrieval", "google_maps", "googleMaps", "url_context",
        "urlContext", "code_execution", "codeExecution", "file_search", "fileSearch", "enterprise_web_search",
    ];

    private static readonly string[] s_toolTypes =
    [
        "web_search", "web_fetch", "x_search", "live_search", "news_search", "google_search", "collections_search", "file_search",
        "code_interpreter", "code_execution", "computer", "image_generation", "mcp", "local_shell", "tool_search", "browser_search",
        "openrouter:",
    ];

    private static readonly string[] s_usualTiers = ["default", "standard", "standard_only", "flex"]; // flex costs less

    /// <summary>Returns what a field of the request asks for, or <see langword="null"/>.</summary>
    public static string? Find(ref Utf8JsonReader reader)
    {
        foreach ((string name, string what) in s_fields)
        {
            if (reader.ValueTextEquals(name))
            {
                return what;
            }
        }

        return null;
    }

    /// <summary>Returns what a member of a tool asks for, or <see langword="null"/>: some tools have no type, but a member of their
    /// name.</summary>
    public static string? FindTool(ref Utf8JsonReader reader)
    {
        foreach (string name in s_tools)
        {
            if (reader.ValueTextEquals(name))
            {
                return Tool;
            }
        }

        return null;
    }

    /// <summary>Returns whether a type is that of a tool that the provider runs; versions follow the name.</summary>
    public static bool IsServerTool(ReadOnlySpan<byte> type)
    {
        foreach (string name in s_toolTypes)
        {
            if (type.Length >= name.Length && System.Text.Ascii.Equals(type[..name.Length], name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Returns whether a tier has the usual price or a lower one.</summary>
    public static bool IsUsualTier(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            return false;
        }

        foreach (string tier in s_usualTiers)
        {
            if (reader.ValueTextEquals(tier))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Reads a list of modalities to its end.</summary>
    /// <returns>Whether it is of text only.</returns>
    public static bool IsText(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return false;
        }

        var isText = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            isText &= reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("text"u8);
            reader.Skip();
        }

        return isText;
    }
}
