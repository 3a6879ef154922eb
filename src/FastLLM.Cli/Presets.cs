namespace FastLLM.Cli;

/// <summary>The providers that the command knows by name. A new one is a new entry here and nothing else.</summary>
internal static class Presets
{
    /// <summary>The variable whose key is used where nothing says otherwise.</summary>
    public const string DefaultKeyVariable = "OPENAI_API_KEY";

    /// <summary>OpenAI, the provider where none is named.</summary>
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
        Note = "Starts on a free loopback port; made-up answers, no key, no cost.",
    };

    /// <summary>All of them, in the order in which they are shown.</summary>
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
            Note = "The resource comes from AZURE_OPENAI_ENDPOINT or --base-url; \"model\" is the name of the deployment.",
        },
        new("openrouter", "OpenRouter")
        {
            BaseUrl = "https://openrouter.ai/api/v1",
            KeyVariable = "OPENROUTER_API_KEY",
            Hosts = ["openrouter.ai"],
            Note = "Model names carry their maker: openai/gpt-4o-mini.",
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
            Note = "Knows max_tokens, not max_completion_tokens; rows are sent as they are.",
        },
        new("deepseek", "DeepSeek")
        {
            BaseUrl = "https://api.deepseek.com/v1",
            KeyVariable = "DEEPSEEK_API_KEY",
            Hosts = ["api.deepseek.com"],
            Note = "Under load it keeps a request waiting for minutes before it answers: do not lower --timeout.",
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
            Note = "Ignores some parameters without a word, response_format and seed among them.",
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
            Note = "Drops the oldest messages without a word where a prompt is longer than its context (OLLAMA_CONTEXT_LENGTH).",
        },
        new("llamacpp", "llama.cpp server")
        {
            BaseUrl = "http://localhost:8080/v1",
            KeyVariable = "LLAMA_API_KEY",
            NeedsKey = false,
            Note = "Answers as many at once as it has slots (--parallel); more in flight only wait there.",
        },
        new("lmstudio", "LM Studio") { BaseUrl = "http://localhost:1234/v1", NeedsKey = false },
        Simulator,
    ];

    /// <summary>The preset of this name.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    public static Preset Named(string name) =>
        All.FirstOrDefault(preset => preset.Name.Equals(name.Trim(), StringComparison.OrdinalIgnoreCase))
        ?? throw new UsageException(
            $"There is no provider \"{TerminalText.Clean(name, 40)}\". Known: {string.Join(", ", All.Select(preset => preset.Name))}. For any other server give --base-url instead.");

    /// <summary>The preset to which a host belongs, if any.</summary>
    public static Preset? OfHost(Uri address)
    {
        string host = address.IdnHost.TrimEnd('.');
        return All.FirstOrDefault(preset => preset.Owns(host));
    }
}
