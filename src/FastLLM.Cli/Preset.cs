namespace FastLLM.Cli;

/// <summary>What the command knows of one provider: where it is, which variable holds its key, and what is odd about it.</summary>
internal sealed record Preset(string Name, string Title)
{
    /// <summary>Gets the base URL; <see langword="null"/> where each customer has one of their own, or where it is known only once it runs.</summary>
    public string? BaseUrl { get; init; }

    /// <summary>Gets the environment variable that says where the provider is, in place of <see cref="BaseUrl"/>.</summary>
    public string? BaseUrlVariable { get; init; }

    /// <summary>Gets what follows a base URL that names only the host.</summary>
    public string? DefaultPath { get; init; }

    /// <summary>Gets the environment variable that holds the key; <see langword="null"/> where there is none.</summary>
    public string? KeyVariable { get; init; }

    /// <summary>Gets a value indicating whether nothing can be asked without a key.</summary>
    public bool NeedsKey { get; init; } = true;

    /// <summary>Gets the header that carries the key; <see langword="null"/> for <c>Authorization: Bearer</c>.</summary>
    public string? KeyHeader { get; init; }

    /// <summary>Gets the environment variable that names the organization to bill.</summary>
    public string? OrganizationVariable { get; init; }

    /// <summary>Gets the ends of the host names that belong to this provider alone; with a dot at the front any name before it will do.</summary>
    /// <remarks>Servers of one's own have none: what listens on a port of this machine is not known by its address.</remarks>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>Gets what a user should know.</summary>
    public string? Note { get; init; }

    /// <summary>Gets a value indicating whether this is the built-in simulator.</summary>
    public bool IsSimulator { get; init; }

    /// <summary>Gets a value indicating whether this is a server that people run themselves.</summary>
    public bool IsOwnServer => Hosts.Count == 0;

    /// <summary>Whether <paramref name="host"/> belongs to this provider.</summary>
    public bool Owns(string host) => Hosts.Any(known => known[0] == '.'
        ? host.EndsWith(known, StringComparison.OrdinalIgnoreCase)
        : host.Equals(known, StringComparison.OrdinalIgnoreCase));
}
