using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using Streams = FastLLM.Providers.ModelQuirks.Streams;

namespace FastLLM.Providers;

/// <summary>Sends requests whose responses are streamed: because the request says so, or because the engine requests it.</summary>
internal sealed class StreamSender(PlainSender plain)
{
    public static bool MayStream(in Send send) =>
        send.Request.Stream || (send.Attempt is { Transport.StreamMode: StreamMode.Auto } && StreamedBody.Knows(send.Request.Endpoint));

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Reply<LlmResponse>> SendAsync(Send send)
    {
        ReadOnlyMemory<byte> body = plain.BodyOf(send.Request, out bool temperatureLeftOut);
        StreamRequest said = StreamRequest.Of(body.Span);
        bool adds = AddsTo(send.Request, said, out bool addsStream, out bool addsOptions);
        if (!addsStream && !send.Request.Stream)
        {
            return await plain.SendAsync(send).ConfigureAwait(false);
        }

        BodyContent content = adds
            ? new SplicedContent(StreamRequest.WithoutBrace(body), StreamRequest.Tail(addsStream, addsOptions), send.Attempt)
            : new BodyContent(body, send.Attempt);
        using HttpRequestMessage message = plain.MessageOf(send.Request, content);
        using HttpResponseMessage response = await GuardedStream.SendAsync(send, message).ConfigureAwait(false);
        send.Attempt?.Touch();
        if (!response.IsSuccessStatusCode)
        {
            ReceivedBody read = await ResponseBody.ReadAsync(response, send.MaxBytes, send.Attempt, send.CancellationToken)
                .ConfigureAwait(false);
            LlmException failure = plain.Refusal(send, response, read.Bytes, temperatureLeftOut);
            bool learned = !failure.SendAgainChanged && LearnFrom(failure, send, addsStream, addsOptions);
            return new Reply<LlmResponse>(learned ? failure.WithSendAgainChanged() : failure);
        }

        var streamed = new StreamedBody(
            send.Request.Endpoint, said.Choices, send.MaxBytes, send.Attempt?.Transport.LiveStreams.Find(send.Request));
        await streamed.ReadAsync(response.Content, send.Attempt, send.CancellationToken).ConfigureAwait(false);
        if (streamed.Excess is { } excess)
        {
            return PlainSender.TooLarge(excess, response);
        }

        Reply<LlmResponse> reply = streamed.Fault is { } fault
            ? new Reply<LlmResponse>(plain.Fault(streamed.IsInvalid ? FailureKind.InvalidResponse
            : FailureKind.IncompleteResponse, fault, response, streamed.Body))
            : plain.Accept(send, response, streamed.Body);
        return LearnFrom(reply, streamed, send, addsStream) ? new Reply<LlmResponse>(reply.Failure!.WithSendAgainChanged()) : reply;
    }

    // A request that mentions streaming itself is sent as it is. The token usage is requested only for bodies that the engine wrote.
    private bool AddsTo(LlmRequest request, in StreamRequest said, out bool addsStream, out bool addsOptions)
    {
        Streams known = plain.Quirks.StreamsOf(request.Model);
        addsStream = !request.Stream && !said.SaysStream && !said.SaysOptions && (known & Streams.Refuses) == 0;
        addsOptions = (addsStream || (request.Stream && !request.IsVerbatim && !said.SaysOptions))
            && (known & Streams.RefusesOptions) == 0
            && request.Endpoint != Endpoints.Responses; // always has usage
        return addsStream || addsOptions;
    }

    // Returns whether the refusal names only what the engine added.
    private bool LearnFrom(LlmException failure, in Send send, bool addsStream, bool addsOptions)
    {
        bool isRefusal = failure.Kind == FailureKind.InvalidRequest || failure.StatusCode == 501;
        if (isRefusal && addsOptions && Names(failure, "stream_options", "include_usage"))
        {
            if (plain.Quirks.Learn(send.Request.Model, Streams.RefusesOptions))
            {
                send.Attempt?.Transport.Logger.StreamOptionsRefused(send.Request.Model ?? "");
            }

            return true;
        }

        if (isRefusal && addsStream && (failure.StatusCode == 501 || Names(failure, "stream")))
        {
            LearnRefusal(send, $"{failure.StatusCode}, {failure.Kind}");
            return true;
        }

        return false;
    }

    // Returns whether the failed request should be sent again at once.
    private bool LearnFrom(in Reply<LlmResponse> reply, StreamedBody streamed, in Send send, bool addsStream)
    {
        if (reply.Failure is not { } failure)
        {
            if (!streamed.WasPlain)
            {
                plain.Quirks.Learn(send.Request.Model, Streams.Proven);
            }
            else if (addsStream)
            {
                LearnRefusal(send, "it answered without");
            }
        }
        else if (addsStream && streamed is { Fault: not null, IsCutOff: false }
            && (plain.Quirks.StreamsOf(send.Request.Model) & Streams.Proven) == 0)
        {
            // No stream of this model has ever been complete: the next send goes without.
            LearnRefusal(send, $"{failure.StatusCode}, {failure.Kind}");
            return true;
        }

        return false;
    }

    private void LearnRefusal(in Send send, string reason)
    {
        if (plain.Quirks.Learn(send.Request.Model, Streams.Refuses))
        {
            send.Attempt?.Transport.Logger.StreamRefused(send.Request.Model ?? "", reason);
        }
    }

    private static bool Names(LlmException failure, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (failure.Parameter?.StartsWith(name, StringComparison.Ordinal) == true
                || failure.Message.Contains(name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
