using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.Requests;
using FastLLM.Retries;

namespace FastLLM;

/// <summary>OpenAI, or any server that speaks its protocol: chat completions and embeddings; other endpoints are passed through.</summary>
/// <remarks>
/// <para>Immutable but for what it learns about models; safe for concurrent use, also by several managers.</para>
/// <para>An answer counts as one only if it is a whole JSON body that says it is finished; HTTP 200 alone is not enough.
/// A temperature that was left alone is not sent to models that are known to refuse it, or that turn out to.</para>
/// </remarks>
public partial class OpenAIProvider : Provider<LlmResponse>
{
    /// <summary>OpenAI's own base URL.</summary>
    public const string DefaultApiBase = "https://api.openai.com/v1";

    private const string VersionPrefix = "/v1/";

    private readonly Dictionary<string, string> _requestHeaders;
    private readonly ConcurrentDictionary<string, Uri> _addresses = new(StringComparer.Ordinal);
    private readonly ModelQuirks _quirks = new();
    private readonly string? _organization;
    private RequestHeaders? _lastHeaders;

    /// <summary>Creates a provider.</summary>
    /// <param name="apiKey">The key; an empty text sends none, for servers that want none.</param>
    /// <param name="apiBase">The base URL, with its <c>/v1</c>; left out, OpenAI's own.</param>
    /// <param name="organization">The organization to bill, if the key has several.</param>
    /// <param name="headers">Headers to send besides; they win over the provider's own.</param>
    /// <exception cref="ArgumentException">The key or a header has characters that cannot stand in a header, or the base URL is no http(s) address.</exception>
    public OpenAIProvider(string apiKey, string? apiBase = null, string? organization = null, IReadOnlyDictionary<string, string>? headers = null)
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
    }

    /// <inheritdoc/>
    /// <value>The normalised base URL, and the organization where one is set.</value>
    public override string CacheScope => _organization is null ? base.CacheScope : $"{base.CacheScope} {_organization}";

    /// <summary>Creates a provider from the environment: <c>OPENAI_API_KEY</c>, <c>OPENAI_BASE_URL</c> and <c>OPENAI_ORG_ID</c>, the last two optional.</summary>
    /// <exception cref="InvalidOperationException"><c>OPENAI_API_KEY</c> is not set.</exception>
    public static OpenAIProvider FromEnvironment()
    {
        string? key = Environment.GetEnvironmentVariable("OPENAI_API_KEY");
        if (string.IsNullOrWhiteSpace(key))
        {
            throw new InvalidOperationException("OPENAI_API_KEY is not set. Set it to your API key, or create an OpenAIProvider with the key from elsewhere.");
        }

        return new OpenAIProvider(key, Given("OPENAI_BASE_URL"), Given("OPENAI_ORG_ID"));

        static string? Given(string name) => Environment.GetEnvironmentVariable(name) is { } value && !string.IsNullOrWhiteSpace(value) ? value : null;
    }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => _requestHeaders;

    /// <inheritdoc/>
    public sealed override async Task<LlmResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
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
            ValueTask<Reply<LlmResponse>> send = MayStream(request, attempt: null)
                ? SendStreamAsync(client, request, attempt: null, client.MaxResponseContentBufferSize, either.Token)
                : SendAsync(client, request, attempt: null, client.MaxResponseContentBufferSize, either.Token);
            Reply<LlmResponse> reply = await send.ConfigureAwait(false);
            return reply.Failure is null ? reply.Response! : throw reply.Failure;
        }
        catch (OperationCanceledException e) when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new LlmException(FailureKind.Timeout, $"No whole answer within {timeout.TotalSeconds:0.###} s.", e);
        }
    }

    internal override LlmException? Refuse(LlmRequest request) => request.Stream && !StreamedBody.Knows(request.Endpoint)
        ? new LlmException(FailureKind.NotSupported, $"stream: true is not supported for {request.Endpoint}. Leave it out: the answer is the same.")
        : null;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal override async ValueTask<Reply<LlmResponse>> SendAsync(LlmRequest request, Attempt attempt)
    {
        try
        {
            ValueTask<Reply<LlmResponse>> send = MayStream(request, attempt)
                ? SendStreamAsync(attempt.Transport.Invoker, request, attempt, attempt.Transport.MaxResponseBytes, attempt.Token)
                : SendAsync(attempt.Transport.Invoker, request, attempt, attempt.Transport.MaxResponseBytes, attempt.Token);
            return attempt.Transport.HandlerIsGiven
                ? await send.AsTask().WaitAsync(attempt.Token).ConfigureAwait(false)
                : await send.ConfigureAwait(false);
        }
        catch (Exception e) when (attempt.Token.IsCancellationRequested)
        {
            return new Reply<LlmResponse>(attempt.Ended(e, attempt.RequestSent));
        }
        catch (Exception e)
        {
            LlmException failure = ExceptionTable.ToFailure(e, fromOurTransport: true).WithMaybeBilled(attempt.RequestSent);
            return new Reply<LlmResponse>(Secrets.Remove(failure, GetRequestHeaders()));
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Reply<LlmResponse>> SendAsync(
        HttpMessageInvoker invoker, LlmRequest request, Attempt? attempt, long mostBytes, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> body = BodyOf(request, out bool temperatureLeftOut);
        using HttpRequestMessage message = MessageOf(request, new BodyContent(body, attempt));
        using HttpResponseMessage response = await PostAsync(invoker, message, cancellationToken).ConfigureAwait(false);
        KillPoint.Reached(KillPoint.AfterResponseHeaders);
        attempt?.Touch();
        ReadOnlyMemory<byte>? read = await ResponseBody.ReadAsync(response.Content, mostBytes, attempt, cancellationToken).ConfigureAwait(false);

        // Of an error page that is too large, the status says enough.
        return response.IsSuccessStatusCode
            ? read is { } answer ? Answered(request, response, answer, attempt) : TooLarge(response, mostBytes)
            : new Reply<LlmResponse>(Refused(request, response, Secrets.Remove(read ?? default, GetRequestHeaders()), temperatureLeftOut, attempt));
    }

    private ReadOnlyMemory<byte> BodyOf(LlmRequest request, out bool temperatureLeftOut)
    {
        temperatureLeftOut = request.TemperatureLeftAlone && _quirks.RefusesTemperature(request.Model);
        return temperatureLeftOut ? RequestBody.Write(request.Fields(withoutTemperature: true)) : request.Body;
    }

    private HttpRequestMessage MessageOf(LlmRequest request, HttpContent content)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, AddressOf(request.Endpoint)) { Content = content };
        RequestHeaders.Of(GetRequestHeaders(), ref _lastHeaders).AddTo(message);
        return message;
    }

    private static Task<HttpResponseMessage> PostAsync(HttpMessageInvoker invoker, HttpRequestMessage message, CancellationToken cancellationToken) => invoker is HttpClient client
        ? client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken)
        : invoker.SendAsync(message, cancellationToken);

    private static Reply<LlmResponse> TooLarge(HttpResponseMessage response, long mostBytes) =>
        new(new LlmException(FailureKind.ResponseTooLarge, $"The answer is larger than {mostBytes:N0} bytes.")
        {
            StatusCode = (int)response.StatusCode,
            MaybeBilled = true,
        });

    // A body that came with a 2xx status: an answer, or what is wrong with it.
    private Reply<LlmResponse> Answered(LlmRequest request, HttpResponseMessage response, ReadOnlyMemory<byte> bytes, Attempt? attempt)
    {
        if (attempt is { WantsHeaders: true })
        {
            Observe(response.Headers, attempt);
        }

        LlmException? fault = ResponseCheck.Check(response, bytes, request.Endpoint, attempt, out BodyScan scan);
        if (fault is not null)
        {
            // Said once more without what the server may have repeated of the credentials.
            fault = Secrets.Remove(ResponseCheck.Check(response, Secrets.Remove(bytes, GetRequestHeaders()), request.Endpoint, attempt, out scan) ?? fault, GetRequestHeaders());
        }

        return fault is null
            ? new Reply<LlmResponse>(LlmResponse.FromBody(bytes, scan), scan.ToUsage())
            : new Reply<LlmResponse>(fault);
    }

    private LlmException Refused(LlmRequest request, HttpResponseMessage response, ReadOnlyMemory<byte> bytes, bool temperatureLeftOut, Attempt? attempt)
    {
        Observe(response.Headers, attempt);
        LlmException failure = Secrets.Remove(LlmException.From(response, bytes.Span, attempt?.Transport.Time.GetUtcNow()), GetRequestHeaders());

        // The model refuses a parameter that nobody chose: sent again without it, from now on for this model.
        bool learned = !temperatureLeftOut && request.TemperatureLeftAlone && request.Model is not null
            && failure.StatusCode == 400 && failure.Parameter == "temperature" && failure.Kind == FailureKind.InvalidRequest;
        if (learned)
        {
            failure = failure.WithSendAgainChanged();
            if (_quirks.LearnRefusesTemperature(request.Model!))
            {
                attempt?.Transport.Logger.TemperatureRefused(request.Model!);
            }
        }

        return failure;
    }

    private Uri AddressOf(string endpoint) => _addresses.TryGetValue(endpoint, out Uri? address)
        ? address
        : _addresses.GetOrAdd(endpoint, path => new Uri(ApiBase + (path.StartsWith(VersionPrefix, StringComparison.Ordinal) ? path[(VersionPrefix.Length - 1)..] : path)));
}
