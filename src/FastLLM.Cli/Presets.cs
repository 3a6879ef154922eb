using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Provides the presets of all known providers. To add a provider, add an entry here.</summary>
internal static class Presets
{
    /// <summary>The variable of the key for unknown servers.</summary>
    public const string DefaultKeyVariable = "OPENAI_API_KEY";

    /// <summary>OpenAI, the default provider.</summary>
    public static readonly Preset OpenAI = new("openai", "OpenAI")
    {
        BaseUrl = OpenAIProvider.DefaultApiBase,
        BaseUrlVariable = "OPENAI_BASE_URL",
        KeyVariable = DefaultKeyVariable,
        OrganizationVariable = "OPENAI_ORG_ID",
        Hosts = ["api.openai.com"],
    };

    /// <summary>The built-in simulator.</summary>
    public static readonly Preset Simulator = new("simulator", "built-in simulator")
    {
        NeedsKey = false,
        IsSimulator = true,
        Note = "Starts on a free loopback port; generated answers, no key, no cost.",
    };

    /// <summary>All presets, in display order.</summary>
    public static readonly IReadOnlyList<Preset> All =
    [
        OpenAI,
        new("azure", "Azure OpenAI (v1)")
        {
            BaseUrlVariable = "AZURE_OPENAI_ENDPOINT",
            DefaultPath = "/openai/v1",
            KeyVariable = "AZURE_OPENAI_API_KEY",
            KeyHeader = "api-key",
            Hosts = [".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"],
            Note = "Set the resource in AZURE_OPENAI_ENDPOINT or --base-url; \"model\" is the name of the deployment.",
        },
        new("openrouter", "OpenRouter")
        {
            BaseUrl = "https://openrouter.ai/api/v1",
            KeyVariable = "OPENROUTER_API_KEY",
            Hosts = ["openrouter.ai"],
            Note = "Model names include the vendor, such as openai/gpt-4o-mini.",
        },
        new("groq", "Groq") { BaseUrl = "https://api.groq.com/openai/v1", KeyVariable = "GROQ_API_KEY", Hosts = ["api.groq.com"] },
        new("together", "Together AI")
        {
            BaseUrl = "https://api.together.xyz/v1",
            KeyVariable = "TOGETHER_API_KEY",
            Hosts = ["api.together.xyz", "api.together.ai"],
        },
        new("mistral", "Mistral AI")
        {
            BaseUrl = "https://api.mistral.ai/v1",
            KeyVariable = "MISTRAL_API_KEY",
            Hosts = ["api.mistral.ai"],
            Note = "Supports max_tokens, not max_completion_tokens; rows are sent unchanged.",
        },
        new("deepseek", "DeepSeek")
        {
            BaseUrl = "https://api.deepseek.com/v1",
            KeyVariable = "DEEPSEEK_API_KEY",
            Hosts = ["api.deepseek.com"],
            KnowsSchemas = false,
            Note = "May take minutes to respond under load; do not lower --timeout.",
        },
        new("gemini", "Google Gemini (compatible endpoint)")
        {
            BaseUrl = "https://generativelanguage.googleapis.com/v1beta/openai",
            KeyVariable = "GEMINI_API_KEY",
            Hosts = ["generativelanguage.googleapis.com"],
        },
        new("anthropic", "Anthropic (compatible endpoint)")
        {
            BaseUrl = "https://api.anthropic.com/v1",
            KeyVariable = "ANTHROPIC_API_KEY",
            Hosts = ["api.anthropic.com"],
            KnowsSchemas = false,
            Note = "Silently ignores some parameters, such as response_format and seed.",
        },
        new("xai", "xAI") { BaseUrl = "https://api.x.ai/v1", KeyVariable = "XAI_API_KEY", Hosts = ["api.x.ai"] },
        new("fireworks", "Fireworks AI")
        {
            BaseUrl = "https://api.fireworks.ai/inference/v1",
            KeyVariable = "FIREWORKS_API_KEY",
            Hosts = ["api.fireworks.ai"],
            Note = "Model names begin with accounts/fireworks/models/.",
        },
        new("vllm", "vLLM") { BaseUrl = "http://localhost:8000/v1", KeyVariable = "VLLM_API_KEY", NeedsKey = false },
        new("ollama", "Ollama")
        {
            BaseUrl = "http://localhost:11434/v1",
            KeyVariable = "OLLAMA_API_KEY",
            NeedsKey = false,
            Note = "Silently drops the oldest messages of prompts that exceed its context (OLLAMA_CONTEXT_LENGTH).",
        },
        new("llamacpp", "llama.cpp server")
        {
            BaseUrl = "http://localhost:8080/v1",
            KeyVariable = "LLAMA_API_KEY",
            NeedsKey = false,
            Note = "Processes as many requests at once as it has slots (--parallel); further requests wait on the server.",
        },
        new("lmstudio", "LM Studio") { BaseUrl = "http://localhost:1234/v1", NeedsKey = false },
        Simulator,
    ];

    /// <summary>Returns the preset with a name.</summary>
    /// <exception cref="UsageException">The name is unknown.</exception>
    public static Preset Named(string name) =>
        All.FirstOrDefault(preset => preset.Name.Equals(name.Trim(), StringComparison.OrdinalIgnoreCase))
        ?? throw new UsageException(
            $"Unknown provider \"{TerminalText.Clean(name, 40)}\".{Suggestion.Sentence(name, All.Select(preset => preset.Name))} "
            + "For other servers, use --base-url. "
            + $"Known providers: {string.Join(", ", All.Select(preset => preset.Name))}.");

    /// <summary>Returns the preset that owns the host of an address, if any.</summary>
    public static Preset? OfHost(Uri address)
    {
        string host = address.IdnHost.TrimEnd('.');
        return All.FirstOrDefault(preset => preset.Owns(host));
    }
}
