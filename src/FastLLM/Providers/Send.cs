namespace FastLLM.Providers;

/// <summary>Represents one send of a request.</summary>
/// <param name="Invoker">Sends the HTTP request.</param>
/// <param name="Request">The request.</param>
/// <param name="Attempt">The engine's attempt; <see langword="null"/> for a send outside the engine.</param>
/// <param name="MaxBytes">The maximum size of the response.</param>
/// <param name="CancellationToken">Stops the send.</param>
internal readonly record struct Send(HttpMessageInvoker Invoker, LlmRequest Request, Attempt? Attempt, long MaxBytes,
    CancellationToken CancellationToken);
