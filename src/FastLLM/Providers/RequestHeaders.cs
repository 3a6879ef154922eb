namespace FastLLM.Providers;

/// <summary>Represents the headers of a provider, which are checked once and sent many times.</summary>
internal sealed class RequestHeaders
{
    private readonly IReadOnlyDictionary<string, string> _source;
    private readonly KeyValuePair<string, string>[] _checked;

    private RequestHeaders(IReadOnlyDictionary<string, string> source)
    {
        _source = source;
        _checked = [.. HeaderText.Check(source)];
    }

    /// <summary>Gets the headers. They are checked again only if the provider returns another set than last time.</summary>
    public static RequestHeaders Of(IReadOnlyDictionary<string, string> headers, ref RequestHeaders? last)
    {
        RequestHeaders? known = last;
        return known is not null && ReferenceEquals(known._source, headers) ? known : last = new RequestHeaders(headers);
    }

    public void AddTo(HttpRequestMessage message)
    {
        foreach (KeyValuePair<string, string> header in _checked)
        {
            message.Headers.TryAddWithoutValidation(header.Key, header.Value);
        }
    }
}
