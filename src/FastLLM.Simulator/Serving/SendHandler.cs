using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace FastLLM.Simulator.Serving;

/// <summary>Answers chat completions, responses, completions and embeddings: body, admission, fault, latency, answer.</summary>
internal sealed class SendHandler
{
    public const int ClientLeft = 499;
    private const int ConnectionReset = 444; // as nginx calls it

    private static readonly StringValues s_version = "2020-10-01";
    private static readonly StringValues s_noTime = "0";

    private readonly SimulatorOptions _options;
    private readonly AnswerForm _form;
    private readonly Counters _counters;
    private readonly Ledger? _ledger;
    private readonly RequestLog? _requests;
    private readonly Admission _admission;
    private readonly EventStream _events;
    private long _failuresLeft;

    public SendHandler(SimulatorOptions options, Counters counters, Ledger? ledger, RequestLog? requests)
    {
        _options = options;
        _form = AnswerForm.Of(options);
        _counters = counters;
        _ledger = ledger;
        _requests = requests;
        _admission = new Admission(options, counters);
        _events = new EventStream(options, counters, _admission);
        _failuresLeft = options.FailFirst;
    }

    public async Task HandleAsync(IFeatureCollection context, ServedPath path)
    {
        _counters.Enter();
        var request = new Send(path);
        byte[]? rented = null;
        try
        {
            PipeReader reader = context.Get<IRequestBodyPipeFeature>()!.Reader;
            ReadResult read = await reader.ReadAsync();
            ReadOnlyMemory<byte> body;
            if (read.IsCompleted && read.Buffer.IsSingleSegment)
            {
                body = read.Buffer.First; // the usual case: read where it lies
            }
            else
            {
                long? contentLength = context.Get<IHttpRequestFeature>()!.Headers.ContentLength;
                (rented, int bytes) = await RequestBody.CopyAsync(reader, read, contentLength);
                body = rented.AsMemory(0, bytes);
                read = default;
            }

            _requests?.Add(context, body.Span);
            if (Arrive(request, body.Span) is { } refusal)
            {
                Fail(request, refusal);
            }
            else
            {
                if (request.Latency != TimeSpan.Zero)
                {
                    // The end of the server cuts it short too: it aborts its connections.
                    CancellationToken aborted = context.Get<IHttpRequestLifetimeFeature>()!.RequestAborted;
                    await Task.Delay(request.Latency, _options.TimeProvider, aborted);
                }

                Answer(request, body.Span);
            }

            if (rented is null)
            {
                reader.AdvanceTo(read.Buffer.End);
            }
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            request.Rate = _admission.Look();
            Fail(request, Problem.TooLarge);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            _admission.GiveBack(request); // the client has left, or the server ends
            request.Status = ClientLeft;
            Drop(request);
        }
        finally
        {
            if (!request.IsStream)
            {
                _admission.Leave(request, request.Status); // a stream leaves with its last event
            }

            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }

        if (request.Output is null)
        {
            context.Get<IHttpRequestLifetimeFeature>()!.Abort();
        }
        else
        {
            await DeliverAsync(context, request, request.Output);
        }
    }

    /// <summary>Identifies the client, and decides whether the request is admitted, and what fault and latency it meets.</summary>
    /// <returns>The refusal; <see langword="null"/> when the request is admitted.</returns>
    private Problem? Arrive(Send request, ReadOnlySpan<byte> body)
    {
        request.Hash = BodyHash.Of(body);
        int number = _counters.Send(request.Hash);
        request.Entry = _ledger?.Request(request.Path, body) ?? 0;
        if (_admission.ApplyLaws(request, number) is { } throttled)
        {
            return throttled;
        }

        request.Fault = SimulatorErrors.Draw(_options, request.Hash, number);

        // The answer is written before the wait only where its tokens decide something. Else waiting holds no memory.
        if (_admission.NeedsAnswers || _options.TokensPerSecond is not null)
        {
            WriteAnswer(request, body);
            if (_admission.Admit(request, body) is { } refusal)
            {
                return refusal;
            }
        }

        if (TakeFailure())
        {
            request.Fault = SimulatorFault.Error;
            _admission.GiveBack(request);
        }

        if (request.Fault != SimulatorFault.None)
        {
            _counters.Meet(request.Fault);
        }

        request.Latency = request.Fault == SimulatorFault.Stall ? Timeout.InfiniteTimeSpan : SimulatorLatency.Of(_options, request.Hash);
        if (request.Fault is SimulatorFault.None or SimulatorFault.Cut && !request.Facts.Streamed)
        {
            request.Latency += SimulatorLatency.OfOutput(_options, request.Facts.CompletionTokens);
        }

        return null;
    }

    /// <summary>Writes what an admitted request gets after its latency; nothing where its connection is to be reset.</summary>
    private void Answer(Send request, ReadOnlySpan<byte> body)
    {
        if (request.Fault == SimulatorFault.Error)
        {
            Fail(request, Problem.Simulated(_options.ErrorStatus));
        }
        else if (request.Fault == SimulatorFault.Reset)
        {
            request.Status = ConnectionReset;
            Drop(request);
        }
        else
        {
            if (request.Status == 0)
            {
                WriteAnswer(request, body);
            }

            if (request.Fault == SimulatorFault.ErrorInOk)
            {
                request.Status = StatusCodes.Status200OK;
                Problem.WriteErrorInOk(request.Path, request.Hash, request.Facts.Streamed, request.Output!);
            }
        }
    }

    private async Task DeliverAsync(IFeatureCollection context, Send request, JsonOut output)
    {
        IHttpResponseFeature response = context.Get<IHttpResponseFeature>()!;
        WriteHeaders(response.Headers, request);
        int length = output.Length;
        Ledger.Digest digest = request.Entry == 0 ? default : Ledger.Digest.Of(output.Written.Span);
        bool isBilled = request.Status == StatusCodes.Status200OK && request.Fault == SimulatorFault.None;
        bool taken;
        if (request.IsStream)
        {
            taken = await _events.SendAsync(context, response, request, output);
        }
        else if (request.Fault == SimulatorFault.Cut)
        {
            await Delivery.HalfAsync(context, response, request.Status, output);
            return;
        }
        else
        {
            _counters.BodySent(isBilled ? 1 : 0);
            taken = await Delivery.WholeAsync(context, response, request.Status, output);
            _counters.BodySent(isBilled && !taken ? -1 : 0);
        }

        if (!taken)
        {
            _admission.GiveBack(request);
        }
        else if (request.Entry != 0)
        {
            _ledger!.Response(request.Entry, request.Status, length, digest);
        }
    }

    private void WriteAnswer(Send request, ReadOnlySpan<byte> body)
    {
        request.Output ??= JsonOut.Rent(_options.Compact);
        request.Status = Answers.Answer.Write(
            request.Path, body, request.Hash, _form, request.Output, out AnswerFacts facts);
        request.Facts = facts;
        if (request.Status == StatusCodes.Status200OK && BrokenAnswer.Hits(_options, request.Hash))
        {
            BrokenAnswer.Break(request.Output);
        }
    }

    private void Fail(Send request, Problem problem)
    {
        request.Output ??= JsonOut.Rent(_options.Compact);
        request.Fault = SimulatorFault.None;
        request.Status = problem.Status;
        problem.WriteTo(request.Output);
    }

    private static void Drop(Send request)
    {
        request.Output?.Return();
        request.Output = null;
    }

    private static void WriteHeaders(IHeaderDictionary headers, Send request)
    {
        headers["x-request-id"] = string.Create(36, request.Hash, static (chars, hash) =>
        {
            "req_".CopyTo(chars);
            hash.High.TryFormat(chars[4..], out _, "x16");
            hash.Low.TryFormat(chars[20..], out _, "x16");
        });
        headers["openai-version"] = s_version;
        headers["openai-processing-ms"] = request.Latency == TimeSpan.Zero
            ? s_noTime
            : ((long)request.Latency.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        request.Rate?.WriteTo(headers);
    }

    private bool TakeFailure() => Volatile.Read(ref _failuresLeft) > 0 && Interlocked.Decrement(ref _failuresLeft) >= 0;
}
