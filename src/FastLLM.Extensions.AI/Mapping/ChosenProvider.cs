namespace FastLLM.Mapping;

/// <summary>Represents the provider of a container's manager, as a service apart from providers that the application registers.</summary>
internal sealed record ChosenProvider(Provider<LlmResponse> Provider)
{
    /// <summary>Gets the address for metadata: a scope begins with the base URL and never holds a key.</summary>
    public Uri? Address => Uri.TryCreate(Provider.CacheScope.Split(' ')[0], UriKind.Absolute, out Uri? address)
        && address.Scheme is "http" or "https" ? address : null;
}
