using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using FastLLM.Diagnostics;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Sends requests to a server with OpenAI's protocol and reads the responses; the parts serve <see cref="StreamSender"/>
/// too.</summary>
/// <param name="apiBase">The base URL.</param>
/// <param name="headers">Gets the headers of a request, credentials included.</param>
/// <param name="observe">Passes the headers of a response to the rate limiters.</param>
internal sealed class PlainSender(string apiBase, Func<IReadOnlyDictionary<string, string>> headers,
    Action<HttpResponseHeaders, Attempt?> observe)
{
    private const string VersionPrefix = "/v1/";

    private readonly ConcurrentDictionary<string, Uri> _addresses = new(StringComparer.Ordinal);
    private RequestHeaders? _lastHeaders;

    /// <summary>Gets what is known of the models.</summary>
    public ModelQuirks Quirks { get; } = new();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Reply<LlmResponse>> SendAsync(Send send)
    {
        ReadOnlyMemory<byte> body = BodyOf(send.Request, out bool temperatureLeftOut);
        using HttpRequestMessage message = MessageOf(send.Request, new BodyContent(body, send.Attempt));
        using HttpResponseMessage response = await GuardedStream.SendAsync(send, message).ConfigureAwait(false);
        KillPoint.Reached(KillPoint.AfterResponseHeaders);
        send.Attempt?.Touch();
        ReceivedBody read = await ResponseBody.ReadAsync(response, send.MaxBytes, send.Attempt, send.CancellationToken)
            .ConfigureAwait(false);

        // For an error page that is too large or cut off, the status says enough.
        return !response.IsSuccessStatusCode ? new Reply<LlmResponse>(Refusal(send, response, read.Bytes, temperatureLeftOut))
            : read.IsTooLarge ? TooLarge(LargerThan(send.MaxBytes), response)
            : read.Cut is { } cut ? CutOff(cut, response, read.Bytes)
            : Accept(send, response, read.Bytes);
    }

    /// <summary>Gets the body to send, without a default temperature if the model refuses it.</summary>
    public ReadOnlyMemory<byte> BodyOf(LlmRequest request, out bool temperatureLeftOut)
    {
        temperatureLeftOut = request.TemperatureLeftAlone && Quirks.RefusesTemperature(request.Model);
        return temperatureLeftOut ? request.BodyWithoutTemperature() : request.Body;
    }

    public HttpRequestMessage MessageOf(LlmRequest request, HttpContent content)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, AddressOf(request.Endpoint)) { Content = content };
        RequestHeaders.Of(headers(), ref _lastHeaders).AddTo(message);
        return message;
    }

    /// <summary>States that an answer exceeds the maximum size of a response.</summary>
    public static string LargerThan(long maxBytes) => $"The answer is larger than {maxBytes:N0} bytes.";

    /// <summary>Describes a response that exceeds a limit.</summary>
    public static Reply<LlmResponse> TooLarge(string excess, HttpResponseMessage response) =>
        new(new LlmException(FailureKind.ResponseTooLarge, excess)
        {
            StatusCode = (int)response.StatusCode,
            MaybeBilled = true,
        });

    /// <summary>Describes a response whose rest did not arrive. If nothing of it has, the connection was lost.</summary>
    private Reply<LlmResponse> CutOff(Exception cause, HttpResponseMessage response, ReadOnlyMemory<byte> bytes)
    {
        if (!bytes.Span.ContainsAnyExcept(" \t\r\n"u8))
        {
            ExceptionDispatchInfo.Throw(cause);
        }

        return new(Fault(FailureKind.IncompleteResponse, $"The answer was cut off: {cause.Message}", response, bytes));
    }

    /// <summary>Checks a body that came with a 2xx status. A byte order mark, which some servers put before JSON, is no part of
    /// it.</summary>
    public Reply<LlmResponse> Accept(in Send send, HttpResponseMessage response, ReadOnlyMemory<byte> bytes)
    {
        bytes = bytes[ByteOrderMark.LengthIn(bytes.Span)..];
        if (send.Attempt is { WantsHeaders: true } attempt)
        {
            observe(response.Headers, attempt);
        }

        LlmException? fault = ResponseCheck.Check(response, bytes, send.Request.Endpoint, send.Attempt, out BodyScan scan);
        if (fault is null)
        {
            var answer = LlmResponse.FromBody(bytes, scan);
            answer.StatusCode = (int)response.StatusCode;
            return new Reply<LlmResponse>(answer, LlmResponse.ToUsage(scan));
        }

        // Described again, without the credentials that the server may have repeated.
        LlmException? clean = ResponseCheck.Check(response, Secrets.Remove(bytes, headers()), send.Request.Endpoint, send.Attempt, out _);
        return new Reply<LlmResponse>(Secrets.Remove(clean ?? fault, headers()));
    }

    /// <summary>Describes a fault of the form of a response.</summary>
    public LlmException Fault(FailureKind kind, string message, HttpResponseMessage response, ReadOnlyMemory<byte> body) =>
        ResponseCheck.Fault(kind, message, response, Secrets.Remove(body, headers()).Span, null);

    /// <summary>Reads a response that is not a success, and learns from it.</summary>
    public LlmException Refusal(in Send send, HttpResponseMessage response, ReadOnlyMemory<byte> bytes, bool temperatureLeftOut)
    {
        observe(response.Headers, send.Attempt);
        bytes = Secrets.Remove(bytes, headers());
        LlmException failure = Secrets.Remove(LlmException.From(response, bytes.Span, send.Attempt?.Transport.Time.GetUtcNow()), headers());

        // The model refuses a parameter that the caller did not set: it is omitted from now on for this model, and the request is sent
        // again.
        LlmRequest request = send.Request;
        bool learned = !temperatureLeftOut && request.TemperatureLeftAlone && request.Model is not null
            && failure.StatusCode == 400 && failure.Parameter == "temperature" && failure.Kind == FailureKind.InvalidRequest;
        if (!learned)
        {
            return failure;
        }

        if (Quirks.LearnRefusesTemperature(request.Model!))
        {
            send.Attempt?.Transport.Logger.TemperatureRefused(request.Model!);
        }

        return failure.WithSendAgainChanged();
    }

    private Uri AddressOf(string endpoint) => _addresses.TryGetValue(endpoint, out Uri? address)
        ? address
        : _addresses.GetOrAdd(endpoint, path =>
            new Uri(apiBase + (path.StartsWith(VersionPrefix, StringComparison.Ordinal) ? path[(VersionPrefix.Length - 1)..] : path)));
}
