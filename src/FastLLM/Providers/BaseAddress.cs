namespace FastLLM.Providers;

/// <summary>Base URLs in one form, so that the same endpoint is one scope however it was written.</summary>
internal static class BaseAddress
{
    /// <summary>The address without blanks around it and slashes at its end.</summary>
    /// <exception cref="ArgumentException">It is no absolute http(s) address, or it has user info, a query or a fragment.</exception>
    public static string Normalise(string address)
    {
        ArgumentNullException.ThrowIfNull(address, "apiBase");
        string trimmed = address.Trim().TrimEnd('/');
        if (!Uri.TryCreate(trimmed, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new ArgumentException($"\"{trimmed}\" is no base URL. Give an http(s) address such as https://api.openai.com/v1.", "apiBase");
        }

        if (uri.UserInfo.Length > 0 || uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw new ArgumentException("A base URL has no user info, query or fragment. Keys belong in headers.", "apiBase");
        }

        return trimmed;
    }

    /// <summary>The address as a cache scope: scheme and host in lower case, no default port.</summary>
    public static string Scope(string normalised) => new Uri(normalised).GetLeftPart(UriPartial.Path).TrimEnd('/');
}
