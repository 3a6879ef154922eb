namespace FastLLM.Requests;

/// <summary>What may stand in a request's path: it comes from files too, and must not lead anywhere but below the base URL.</summary>
internal static class EndpointPath
{
    /// <summary>The path, if it is one.</summary>
    /// <exception cref="ArgumentException">It is not; the message says why.</exception>
    public static string Check(string path)
    {
        ArgumentNullException.ThrowIfNull(path, "Endpoint");
        return Fault(path) is { } fault ? throw new ArgumentException($"\"{Shorten(path)}\" is no endpoint path: {fault}.", "Endpoint") : path;
    }

    /// <summary>What is wrong with the path, or <see langword="null"/>.</summary>
    public static string? Fault(string path) => path switch
    {
        _ when !path.StartsWith('/') => "it must begin with / (such as /v1/chat/completions), without scheme or host",
        _ when path.Contains("//", StringComparison.Ordinal) || path.Contains("..", StringComparison.Ordinal) => "it must not contain // or ..",
        _ when path.AsSpan().ContainsAny("?#\\%") => "it must not contain a query, a fragment, a backslash or an escape",
        _ when path.AsSpan().ContainsAnyExceptInRange('!', '~') => "it may only have visible ASCII characters",
        _ => null,
    };

    private static string Shorten(string path) => path.Length <= 80 ? path : path[..80] + "…";
}
