using System.Net;

namespace FastLLM.Cli;

/// <summary>Reports the proxy that requests go through, without its credentials: a proxy can read unencrypted requests.</summary>
internal static class ProxyNotice
{
    /// <summary>Returns the notice; <see langword="null"/> without a proxy.</summary>
    /// <param name="baseUrl">The base URL that requests are sent to.</param>
    /// <param name="proxy">The proxy settings of the environment.</param>
    public static string? For(Uri baseUrl, IWebProxy proxy)
    {
        ArgumentNullException.ThrowIfNull(baseUrl);
        ArgumentNullException.ThrowIfNull(proxy);
        return !proxy.IsBypassed(baseUrl) && proxy.GetProxy(baseUrl) is { } address && address != baseUrl
            ? $"Requests to {baseUrl.IdnHost} go through the proxy {address.Scheme}://{address.IdnHost}:{address.Port} "
                + $"(HTTPS_PROXY, HTTP_PROXY or ALL_PROXY). To bypass it, set NO_PROXY={baseUrl.IdnHost}."
            : null;
    }
}
