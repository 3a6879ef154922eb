namespace FastLLM.Providers;

/// <summary>Normalizes base URLs, so that an endpoint has one scope.</summary>
internal static class BaseAddress
{
    /// <summary>Removes blanks around the address and slashes at its end.</summary>
    /// <exception cref="ArgumentException">
    /// The address is not an absolute http(s) address, or has user info, a query or a fragment.
    /// </exception>
    public static string Normalise(string address)
    {
        ArgumentNullException.ThrowIfNull(address, "apiBase");
        string trimmed = address.Trim().TrimEnd('/');
        if (!Uri.TryCreate(trimmed, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new ArgumentException($"\"{trimmed}\" is not a base URL. Use an http(s) address such as https://api.openai.com/v1.",
                "apiBase");
        }

        if (uri.UserInfo.Length > 0 || uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw new ArgumentException("A base URL has no user info, query or fragment. Keys belong in headers.", "apiBase");
        }

        return trimmed;
    }

    /// <summary>Gets the address as a cache scope: scheme and host in lower case, no default port.</summary>
    public static string Scope(string normalised) => new Uri(normalised).GetLeftPart(UriPartial.Path).TrimEnd('/');
}
