namespace FastLLM.Services;

/// <summary>Sends with the handlers of an <see cref="IHttpMessageHandlerFactory"/>, which replaces them from time to time.</summary>
internal sealed class FactoryHandler(IHttpMessageHandlerFactory factory, string name) : HttpMessageHandler
{
    private Route? _last;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpMessageHandler handler = factory.CreateHandler(name);
        Route? route = Volatile.Read(ref _last);
        if (route is null || !ReferenceEquals(route.Handler, handler))
        {
            route = new Route(handler, new HttpMessageInvoker(handler, disposeHandler: false));
            Volatile.Write(ref _last, route);
        }

        return route.Invoker.SendAsync(request, cancellationToken);
    }

    /// <summary>Represents a handler and the way to use it.</summary>
    private sealed record Route(HttpMessageHandler Handler, HttpMessageInvoker Invoker);
}
