using System.Net;

namespace FastLLM.Cli;

/// <summary>Says when requests go through a proxy, which reads what is not encrypted, and through which; never with the credentials that may stand in its address.</summary>
internal static class ProxyNotice
{
    /// <summary>The line, or <see langword="null"/> where there is none in the way.</summary>
    /// <param name="baseUrl">Where requests go.</param>
    /// <param name="proxy">What the environment says of proxies.</param>
    public static string? For(Uri baseUrl, IWebProxy proxy)
    {
        ArgumentNullException.ThrowIfNull(baseUrl);
        ArgumentNullException.ThrowIfNull(proxy);
        return !proxy.IsBypassed(baseUrl) && proxy.GetProxy(baseUrl) is { } address && address != baseUrl
            ? $"Requests to {baseUrl.IdnHost} go through the proxy {address.Scheme}://{address.IdnHost}:{address.Port} (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY; NO_PROXY={baseUrl.IdnHost} for none)."
            : null;
    }
}
