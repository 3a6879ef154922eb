namespace FastLLM.Requests;

/// <summary>Checks the path of a request: it may come from a file, and must stay below the base URL.</summary>
internal static class EndpointPath
{
    /// <summary>Returns the path if it is valid.</summary>
    /// <exception cref="ArgumentException">The path is not valid; the message names the cause.</exception>
    public static string Check(string path)
    {
        ArgumentNullException.ThrowIfNull(path, "Endpoint");
        return Fault(path) is { } fault
            ? throw new ArgumentException($"\"{Shorten(path)}\" is not an endpoint path: {fault}.", "Endpoint") : path;
    }

    /// <summary>Gets what is wrong with the path, or <see langword="null"/>.</summary>
    public static string? Fault(string path) => path switch
    {
        _ when !path.StartsWith('/') => "it must begin with / (such as /v1/chat/completions), without scheme or host",
        _ when path.Contains("//", StringComparison.Ordinal) || path.Contains("..", StringComparison.Ordinal) =>
            "it must not contain // or ..",
        _ when path.AsSpan().ContainsAny("?#\\%") => "it must not contain a query, a fragment, a backslash or an escape",
        _ when path.AsSpan().ContainsAnyExceptInRange('!', '~') => "it may only have visible ASCII characters",
        _ => null,
    };

    private static string Shorten(string path) => path.Length <= 80 ? path : path[..80] + "…";
}
