using System.Runtime.CompilerServices;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Json;
using FastLLM.Providers;

namespace FastLLM;

/// <summary>Sends requests to OpenAI, or to any server with its protocol: chat completions and embeddings; other endpoints are passed
/// through.</summary>
/// <remarks>
/// <para>Immutable except for what it learns about models. Safe for concurrent use, also by several managers.</para>
/// <para>A response is accepted only if it is a complete JSON body that says it is finished; HTTP 200 alone is not enough.
/// A default temperature is not sent to models that are known, or turn out, to refuse it.</para>
/// </remarks>
public class OpenAIProvider : Provider<LlmResponse>
{
    /// <summary>OpenAI's own base URL.</summary>
    public const string DefaultApiBase = "https://api.openai.com/v1";

    private readonly Dictionary<string, string> _requestHeaders;
    private readonly string? _organization;
    private readonly PlainSender _plain;
    private readonly StreamSender _streams;

    /// <summary>Creates a provider.</summary>
    /// <param name="apiKey">The key; an empty string sends none, for servers that need none.</param>
    /// <param name="apiBase">The base URL, with its <c>/v1</c>; <see langword="null"/> for OpenAI's own.</param>
    /// <param name="organization">The organization to bill, if the key has several.</param>
    /// <param name="headers">Additional headers; they override the provider's own.</param>
    /// <exception cref="ArgumentException">The key or a header has characters that a header cannot carry, or the base URL is not an http(s)
    /// address.</exception>
    public OpenAIProvider(string apiKey, string? apiBase = null, string? organization = null,
        IReadOnlyDictionary<string, string>? headers = null)
        : base(apiKey, apiBase ?? DefaultApiBase, headers)
    {
        _organization = string.IsNullOrWhiteSpace(organization) ? null : organization.Trim();
        var all = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (ApiKey.Length > 0)
        {
            all["Authorization"] = $"Bearer {ApiKey}";
        }

        if (_organization is not null)
        {
            all["OpenAI-Organization"] = _organization;
        }

        foreach ((string name, string value) in Headers)
        {
            all[name] = value;
        }

        _requestHeaders = new Dictionary<string, string>(HeaderText.Check(all), StringComparer.OrdinalIgnoreCase);
        _plain = new PlainSender(ApiBase, GetRequestHeaders, Observe);
        _streams = new StreamSender(_plain);
    }

    /// <inheritdoc/>
    /// <value>The normalized base URL, and the organization if there is one.</value>
    public override string CacheScope => _organization is null ? base.CacheScope : $"{base.CacheScope} {_organization}";

    /// <summary>Creates a provider from the environment variables <c>OPENAI_API_KEY</c>, <c>OPENAI_BASE_URL</c> and <c>OPENAI_ORG_ID</c>;
    /// the last two are optional.</summary>
    /// <exception cref="InvalidOperationException"><c>OPENAI_API_KEY</c> is not set.</exception>
    public static OpenAIProvider FromEnvironment()
    {
        string key = Given("OPENAI_API_KEY") ?? throw new InvalidOperationException(
            "OPENAI_API_KEY is not set. Set it to your API key, or create an OpenAIProvider with the key from elsewhere.");
        return new OpenAIProvider(key, Given("OPENAI_BASE_URL"), Given("OPENAI_ORG_ID"));

        static string? Given(string name) => Environment.GetEnvironmentVariable(name) is { } value && !string.IsNullOrWhiteSpace(value)
            ? value : null;
    }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => _requestHeaders;

    /// <inheritdoc/>
    public sealed override async Task<LlmResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(request);
        if (Refuse(request) is { } refusal)
        {
            throw refusal;
        }

        using var timer = new CancellationTokenSource(timeout, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            var send = new Send(client, request, Attempt: null, client.MaxResponseContentBufferSize, either.Token);
            Reply<LlmResponse> reply = await SendAsync(send).ConfigureAwait(false);
            return reply.Failure is null ? reply.Response! : throw reply.Failure;
        }
        catch (OperationCanceledException e) when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new LlmException(FailureKind.Timeout, $"No complete response within {timeout.TotalSeconds:0.###} s.", e);
        }
    }

    internal override string TelemetryName => "openai";

    internal override LlmException? Refuse(LlmRequest request) => request.Stream && !StreamedBody.Knows(request.Endpoint)
        ? new LlmException(FailureKind.NotSupported,
            $"stream: true is not supported for {request.Endpoint}. Leave it out: the answer is the same.")
        : IsBackground(request) ? new LlmException(FailureKind.NotSupported,
            "background: true is not supported: it returns before there is an answer, and is billed. Leave it out: the answer is the same.")
        : null;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal override async ValueTask<Reply<LlmResponse>> SendAsync(LlmRequest request, Attempt attempt)
    {
        Reply<LlmResponse> reply;
        try
        {
            ValueTask<Reply<LlmResponse>> send = SendAsync(
                new Send(attempt.Transport.Invoker, request, attempt, attempt.Transport.MaxResponseBytes, attempt.Token));
            reply = attempt.Transport.HandlerIsGiven
                ? await send.AsTask().WaitAsync(attempt.Token).ConfigureAwait(false)
                : await send.ConfigureAwait(false);
        }
        catch (Exception e) when (attempt.Token.IsCancellationRequested)
        {
            reply = new Reply<LlmResponse>(attempt.Ended(e, attempt.RequestSent));
        }
        catch (Exception e)
        {
            LlmException failure = LlmException.FromException(e, fromOurTransport: true)
                .WithMaybeBilled(attempt.RequestSent && NotSentException.Find(e) is null);
            reply = new Reply<LlmResponse>(Secrets.Remove(failure, GetRequestHeaders()));
        }

        attempt.Transport.LiveStreams.Find(request)?.End(reply.Failure);
        return reply;
    }

    private static bool IsBackground(LlmRequest request)
    {
        if (!request.Endpoint.EndsWith("/responses", StringComparison.Ordinal))
        {
            return false;
        }

        var isBackground = false;
        var reader = new Utf8JsonReader(request.Body.Span, new JsonReaderOptions { MaxDepth = JsonText.MaxDepth });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isField = reader.TextIs("background"u8);
            reader.Read();
            isBackground |= isField && reader.TokenType == JsonTokenType.True;
            reader.Skip();
        }

        return isBackground;
    }

    private ValueTask<Reply<LlmResponse>> SendAsync(in Send send) => StreamSender.MayStream(send)
        ? _streams.SendAsync(send)
        : _plain.SendAsync(send);
}
