using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using Streams = FastLLM.Providers.ModelQuirks.Streams;

namespace FastLLM;

// Answers that come as streams: because the request says so, or because they are asked for behind the scenes.
public partial class OpenAIProvider
{
    private static bool MayStream(LlmRequest request, Attempt? attempt) =>
        request.Stream || (attempt is { Transport.StreamMode: StreamMode.Auto } && StreamedBody.Knows(request.Endpoint));

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Reply<LlmResponse>> SendStreamAsync(
        HttpMessageInvoker invoker, LlmRequest request, Attempt? attempt, long mostBytes, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> body = BodyOf(request, out bool temperatureLeftOut);
        StreamRequest said = StreamRequest.Of(body.Span);
        bool adds = AddsTo(request, said, out bool addsStream, out bool addsOptions);
        if (!addsStream && !request.Stream)
        {
            return await SendAsync(invoker, request, attempt, mostBytes, cancellationToken).ConfigureAwait(false);
        }

        BodyContent content = adds
            ? new SplicedContent(StreamRequest.WithoutBrace(body), StreamRequest.Tail(addsStream, addsOptions), attempt)
            : new BodyContent(body, attempt);
        using HttpRequestMessage message = MessageOf(request, content);
        using HttpResponseMessage response = await PostAsync(invoker, message, cancellationToken).ConfigureAwait(false);
        attempt?.Touch();
        if (!response.IsSuccessStatusCode)
        {
            ReadOnlyMemory<byte>? read = await ResponseBody.ReadAsync(response.Content, mostBytes, attempt, cancellationToken).ConfigureAwait(false);
            LlmException failure = Refused(request, response, Secrets.Remove(read ?? default, GetRequestHeaders()), temperatureLeftOut, attempt);
            bool learned = !failure.SendAgainChanged && LearnFrom(failure, request, addsStream, addsOptions, attempt);
            return new Reply<LlmResponse>(learned ? failure.WithSendAgainChanged() : failure);
        }

        var streamed = new StreamedBody(request.Endpoint, said.Choices, mostBytes);
        await streamed.ReadAsync(response.Content, attempt, cancellationToken).ConfigureAwait(false);
        if (streamed.IsTooLarge)
        {
            return TooLarge(response, mostBytes);
        }

        Reply<LlmResponse> reply = streamed.Fault is { } fault
            ? new Reply<LlmResponse>(ResponseCheck.Fault(
                streamed.IsInvalid ? FailureKind.InvalidResponse : FailureKind.IncompleteResponse,
                fault, response, Secrets.Remove(streamed.Body, GetRequestHeaders()).Span, null))
            : Answered(request, response, streamed.Body, attempt);
        return LearnFrom(reply, streamed, request, addsStream, attempt) ? new Reply<LlmResponse>(reply.Failure!.WithSendAgainChanged()) : reply;
    }

    // A request that says something of streams itself is sent as it says; only what we have built may be asked for its count of tokens.
    private bool AddsTo(LlmRequest request, in StreamRequest said, out bool addsStream, out bool addsOptions)
    {
        Streams known = _quirks.StreamsOf(request.Model);
        addsStream = !request.Stream && !said.SaysStream && !said.SaysOptions && (known & Streams.Refuses) == 0;
        addsOptions = (addsStream || (request.Stream && !request.IsVerbatim && !said.SaysOptions))
            && (known & Streams.RefusesOptions) == 0
            && request.Endpoint != Endpoints.Responses; // which count always
        return addsStream || addsOptions;
    }

    // A refusal that names what only we have asked for.
    private bool LearnFrom(LlmException failure, LlmRequest request, bool addsStream, bool addsOptions, Attempt? attempt)
    {
        bool isRefusal = failure.Kind == FailureKind.InvalidRequest || failure.StatusCode == 501;
        if (isRefusal && addsOptions && Names(failure, "stream_options", "include_usage"))
        {
            if (_quirks.Learn(request.Model, Streams.RefusesOptions))
            {
                attempt?.Transport.Logger.StreamOptionsRefused(request.Model ?? "");
            }

            return true;
        }

        if (isRefusal && addsStream && (failure.StatusCode == 501 || Names(failure, "stream")))
        {
            Refuses(request, $"{failure.StatusCode}, {failure.Kind}", attempt);
            return true;
        }

        return false;
    }

    // Whether the failed send is worth another at once.
    private bool LearnFrom(in Reply<LlmResponse> reply, StreamedBody streamed, LlmRequest request, bool addsStream, Attempt? attempt)
    {
        if (reply.Failure is not { } failure)
        {
            if (!streamed.WasPlain)
            {
                _quirks.Learn(request.Model, Streams.Proven);
            }
            else if (addsStream)
            {
                Refuses(request, "it answered without", attempt);
            }
        }
        else if (addsStream && streamed.Fault is not null
            && (_quirks.StreamsOf(request.Model) & Streams.Proven) == 0)
        {
            // No stream of this model has ever come to a good end: without one the answer may.
            Refuses(request, $"{failure.StatusCode}, {failure.Kind}", attempt);
            return true;
        }

        return false;
    }

    private void Refuses(LlmRequest request, string reason, Attempt? attempt)
    {
        if (_quirks.Learn(request.Model, Streams.Refuses))
        {
            attempt?.Transport.Logger.StreamRefused(request.Model ?? "", reason);
        }
    }

    private static bool Names(LlmException failure, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (failure.Parameter?.StartsWith(name, StringComparison.Ordinal) == true || failure.Message.Contains(name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
