namespace FastLLM.Cli;

/// <summary>Represents a provider that the command knows: its base URL, the variable of its key, and its peculiarities.</summary>
internal sealed record Preset(string Name, string Title)
{
    /// <summary>Gets the base URL; <see langword="null"/> if it differs per customer, or if the server is started on demand.</summary>
    public string? BaseUrl { get; init; }

    /// <summary>Gets the environment variable that overrides <see cref="BaseUrl"/>.</summary>
    public string? BaseUrlVariable { get; init; }

    /// <summary>Gets the path to add to a base URL that consists of a host only.</summary>
    public string? DefaultPath { get; init; }

    /// <summary>Gets the environment variable that holds the key; <see langword="null"/> if the provider has no keys.</summary>
    public string? KeyVariable { get; init; }

    /// <summary>Gets a value indicating whether a key is required.</summary>
    public bool NeedsKey { get; init; } = true;

    /// <summary>Gets the header that carries the key; <see langword="null"/> for <c>Authorization: Bearer</c>.</summary>
    public string? KeyHeader { get; init; }

    /// <summary>Gets the environment variable that names the organization to bill.</summary>
    public string? OrganizationVariable { get; init; }

    /// <summary>Gets the hosts of this provider; an entry with a leading dot matches all subdomains.</summary>
    /// <remarks>Self-hosted servers have none, because an address does not identify them.</remarks>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>Gets a value indicating whether the provider knows <c>response_format</c> with a schema, rather than ignores or refuses
    /// it.</summary>
    public bool KnowsSchemas { get; init; } = true;

    /// <summary>Gets a note for users.</summary>
    public string? Note { get; init; }

    /// <summary>Gets a value indicating whether this is the built-in simulator.</summary>
    public bool IsSimulator { get; init; }

    /// <summary>Gets a value indicating whether this is a self-hosted server.</summary>
    public bool IsOwnServer => Hosts.Count == 0;

    /// <summary>Returns whether <paramref name="host"/> belongs to this provider.</summary>
    public bool Owns(string host) => Hosts.Any(known => known[0] == '.'
        ? host.EndsWith(known, StringComparison.OrdinalIgnoreCase)
        : host.Equals(known, StringComparison.OrdinalIgnoreCase));
}
