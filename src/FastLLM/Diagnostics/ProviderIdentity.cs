namespace FastLLM.Diagnostics;

/// <summary>Represents the provider of a manager as telemetry names it.</summary>
/// <param name="Name">One of the well-known values of <c>gen_ai.provider.name</c>, or the name of the provider's type.</param>
/// <param name="Host">The host; <see langword="null"/> if the provider has none.</param>
/// <param name="Port">The port.</param>
internal sealed record ProviderIdentity(string Name, string? Host, int Port)
{
    // The reserved domain of providers that have no address.
    private const string NoHost = ".invalid";

    private static readonly (string Host, string Name)[] s_known =
    [
        ("api.openai.com", "openai"), ("openai.azure.com", "azure.ai.openai"), ("services.ai.azure.com", "azure.ai.inference"),
        ("models.ai.azure.com", "azure.ai.inference"), ("api.anthropic.com", "anthropic"),
        ("generativelanguage.googleapis.com", "gcp.gemini"), ("aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("api.mistral.ai", "mistral_ai"), ("api.groq.com", "groq"), ("api.deepseek.com", "deepseek"), ("api.cohere.com", "cohere"),
        ("api.cohere.ai", "cohere"), ("api.perplexity.ai", "perplexity"), ("api.x.ai", "x_ai"), ("api.moonshot.ai", "moonshot_ai"),
        ("api.moonshot.cn", "moonshot_ai"), ("amazonaws.com", "aws.bedrock"), ("ml.cloud.ibm.com", "ibm.watsonx.ai"),
    ];

    /// <summary>Gets the attributes that all measurements of the provider have.</summary>
    public KeyValuePair<string, object?>[] Tags { get; } = Host is null
        ? [new(Telemetry.ProviderName, Name)]
        : [new(Telemetry.ProviderName, Name), new(Telemetry.ServerAddress, Host), new(Telemetry.ServerPort, Port)];

    /// <summary>Creates the identity of a provider.</summary>
    /// <param name="address">The base URL.</param>
    /// <param name="name">The name for hosts that are not well known.</param>
    public static ProviderIdentity Of(Uri address, string name)
    {
        string host = address.IdnHost;
        string known = s_known.FirstOrDefault(entry => IsOf(host, entry.Host)).Name ?? name;
        return host.EndsWith(NoHost, StringComparison.OrdinalIgnoreCase)
            ? new ProviderIdentity(known, Host: null, Port: 0)
            : new ProviderIdentity(known, host, address.Port);
    }

    // Regions stand before a dot or, at Google, before a hyphen.
    private static bool IsOf(string host, string known) => host.EndsWith(known, StringComparison.OrdinalIgnoreCase)
        && (host.Length == known.Length || host[^(known.Length + 1)] is '.' or '-');
}
