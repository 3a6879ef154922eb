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
        ("models", OtherModel), ("fallbacks", OtherModel), ("fallback_models", OtherModel), ("preset", "a preset of the provider"),
        ("route", OtherModel), ("provider", "a choice of providers"),
        ("previous_response_id", Kept), ("conversation", Kept), ("cached_content", Kept), ("cachedContent", Kept),
        ("web_search_options", Search), ("search_parameters", Search), ("google_search", Search), ("web_search", Search),
        ("enable_search", Search), ("enable_web_search", Search), ("search", Search), ("online", Search), ("search_options", Search),
        ("plugins", "a plugin of the provider"),
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

    // Of content parts and tools. Versions and variants follow the name: document_url, web_search_20250305.
    private static readonly (string Type, string What)[] s_types =
    [
        ("input_audio", "sound"), ("audio", "sound"), ("input_video", "a film"), ("video", "a film"), ("media", "a film"),
        ("file_search", Tool), ("input_file", "a file"), ("file", "a file"), ("document", "a file"), ("item_reference", "a file"),
        ("container_upload", "a file"),
    ];

    private static readonly string[] s_otherLimits =
    [
        "max_new_tokens", "n_predict", "num_predict", "max_gen_len", "max_length", "max_tokens_to_sample", "maxOutputTokens", "maxTokens",
        "max_output_tokens", "max_completion_tokens", // in an object of settings
    ];

    // Which part of the output is thinking, or how much thinking comes on top: servers differ.
    private static readonly string[] s_thinking =
    [
        "thinking_budget", "thinkingBudget", "budget_tokens", "reasoning_budget", "max_thinking_tokens", "max_reasoning_tokens",
    ];

    private static readonly string[] s_settings =
    [
        "thinking", "thinking_config", "thinkingConfig", "reasoning", "generation_config", "generationConfig", "options", "parameters",
    ];

    private static readonly string[] s_choices =
        ["n", "best_of", "candidate_count", "candidateCount", "num_generations", "num_return_sequences", "num_completions"];

    private static readonly string[] s_toolTypes =
    [
        "web_search", "web_fetch", "x_search", "live_search", "news_search", "google_search", "collections_search",
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

    /// <summary>Reads the tools of a request.</summary>
    /// <param name="reader">Stands at the first token of the tools. It is a copy: the caller reads them once more.</param>
    /// <returns>What a tool asks for that the caller does not run itself, or <see langword="null"/>.</returns>
    public static string? FindTools(Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return reader.TokenType is JsonTokenType.Null or JsonTokenType.False ? null : Tool;
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject || !IsOwnTool(ref reader))
            {
                return Tool;
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

    /// <summary>Returns what a content part or a tool of a type asks for, or <see langword="null"/>.</summary>
    public static string? OfType(ReadOnlySpan<byte> type)
    {
        foreach ((string name, string what) in s_types)
        {
            if (Begins(type, name))
            {
                return what;
            }
        }

        foreach (string name in s_toolTypes)
        {
            if (Begins(type, name))
            {
                return Tool;
            }
        }

        return null;
    }

    /// <summary>Returns whether a field limits the output for some servers only: it can raise the limit, not set one.</summary>
    public static bool IsOtherLimit(ref Utf8JsonReader reader) => IsAmong(ref reader, s_otherLimits);

    /// <summary>Returns whether a field says how much a model may think.</summary>
    public static bool IsThinking(ref Utf8JsonReader reader) => IsAmong(ref reader, s_thinking);

    /// <summary>Returns whether a field is an object of limits and other settings.</summary>
    public static bool IsSettings(ref Utf8JsonReader reader) => IsAmong(ref reader, s_settings);

    /// <summary>Returns whether a field asks for several answers.</summary>
    public static bool IsChoices(ref Utf8JsonReader reader) => IsAmong(ref reader, s_choices);

    /// <summary>Returns whether a tier has the usual price or a lower one.</summary>
    public static bool IsUsualTier(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String && IsAmong(ref reader, s_usualTiers);

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

    // The caller runs functions and custom tools itself; a provider may run any other type. Servers name tools of their own with a $.
    private static bool IsOwnTool(ref Utf8JsonReader reader)
    {
        bool isOwn = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                reader.Read();
                isOwn = reader.TokenType == JsonTokenType.String
                    && (reader.ValueTextEquals("function"u8) || reader.ValueTextEquals("custom"u8));
                if (!isOwn)
                {
                    return false;
                }
            }
            else if (reader.ValueTextEquals("function"u8) || reader.ValueTextEquals("input_schema"u8))
            {
                reader.Read();
                isOwn |= reader.TokenType == JsonTokenType.StartObject;
                if (NamesOneOfTheServer(reader))
                {
                    return false;
                }
            }
            else if (reader.ValueTextEquals("name"u8))
            {
                reader.Read();
                if (IsOfTheServer(ref reader))
                {
                    return false;
                }
            }
            else
            {
                reader.Read();
            }

            reader.Skip();
        }

        return isOwn;
    }

    private static bool IsOfTheServer(ref Utf8JsonReader name) =>
        name.TokenType == JsonTokenType.String && name.GetString()!.StartsWith('$');

    private static bool NamesOneOfTheServer(Utf8JsonReader function)
    {
        bool isObject = function.TokenType == JsonTokenType.StartObject;
        while (isObject && function.Read() && function.TokenType == JsonTokenType.PropertyName)
        {
            bool isName = function.ValueTextEquals("name"u8);
            function.Read();
            if (isName && IsOfTheServer(ref function))
            {
                return true;
            }

            function.Skip();
        }

        return false;
    }

    private static bool Begins(ReadOnlySpan<byte> text, string name) =>
        text.Length >= name.Length && System.Text.Ascii.Equals(text[..name.Length], name);

    private static bool IsAmong(ref Utf8JsonReader reader, string[] names)
    {
        foreach (string name in names)
        {
            if (reader.ValueTextEquals(name))
            {
                return true;
            }
        }

        return false;
    }
}
