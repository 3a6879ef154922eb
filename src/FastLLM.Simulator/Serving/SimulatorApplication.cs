using System.Buffers;
using System.IO.Pipelines;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace FastLLM.Simulator.Serving;

/// <summary>The one handler of the server, put straight onto Kestrel: no routing, no HttpContext, no logging.</summary>
internal sealed class SimulatorApplication(SimulatorOptions options, Counters counters) : IHttpApplication<IFeatureCollection>
{
    public const int ClientLeft = 499;
    private const int ConnectionReset = 444; // as nginx calls it

    private static readonly StringValues s_version = "2020-10-01";
    private static readonly StringValues s_noTime = "0";

    private readonly RateLimits? _limits = RateLimits.Of(options);
    private readonly EventStream _events = new(options, counters);
    private readonly Ledger? _ledger = options.Ledger ? new Ledger(options.TimeProvider) : null;

    // Where tokens decide whether and when a send is answered, its answer is written before it waits. Else it is written after, so that waiting holds no memory.
    private readonly bool _answersFirst = (options.RequestsPerMinute ?? options.TokensPerMinute ?? options.QuotaAfter) is not null || options.TokensPerSecond is not null;

    private long _failuresLeft = options.FailFirst;
    private long _answersPaid;

    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

    public void DisposeContext(IFeatureCollection context, Exception? exception)
    {
    }

    public Task ProcessRequestAsync(IFeatureCollection context)
    {
        IHttpRequestFeature request = context.Get<IHttpRequestFeature>()!;
        (ServedPath path, string allowed) = request.Path switch
        {
            "/v1/chat/completions" => (ServedPath.ChatCompletions, "POST"),
            "/v1/embeddings" => (ServedPath.Embeddings, "POST"),
            "/v1/models" => (ServedPath.Models, "GET"),
            "/simulator/stats" => (ServedPath.Stats, "GET"),
            "/simulator/ledger" when _ledger is not null => (ServedPath.Ledger, "GET"),
            _ => (ServedPath.Other, ""),
        };

        return path == ServedPath.Other || !string.Equals(request.Method, allowed, StringComparison.Ordinal) ? RefuseAsync(context, request, path, allowed)
            : path is ServedPath.ChatCompletions or ServedPath.Embeddings ? SendAsync(context, request, path)
            : path == ServedPath.Ledger ? Delivery.LedgerAsync(context, _ledger!)
            : TellAsync(context, path);
    }

    /// <summary>Takes a send and answers it.</summary>
    private async Task SendAsync(IFeatureCollection context, IHttpRequestFeature request, ServedPath path)
    {
        counters.Enter();
        JsonOut? output = null;
        byte[]? rented = null;
        int status = ClientLeft;
        BodyHash hash = default;
        SimulatorFault fault = SimulatorFault.None;
        TimeSpan latency = TimeSpan.Zero;
        AnswerFacts facts = default;
        RateVerdict? rate = null;
        long entry = 0;
        bool paid = false;
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
                (rented, int bytes) = await RequestBody.CopyAsync(reader, read, request.Headers.ContentLength);
                body = rented.AsMemory(0, bytes);
                read = default;
            }

            hash = BodyHash.Of(body.Span);
            int send = counters.Send(hash);
            entry = _ledger?.Request(path, body.Span) ?? 0;
            fault = SimulatorErrors.Draw(options, hash, send);
            int answered = 0;
            Problem? refusal = null;
            if (_answersFirst)
            {
                output = JsonOut.Rent(options.Compact);
                answered = Answer.Write(path, body.Span, hash, options.EmbeddingDimensions, output, out facts);
                refusal = Admit(answered, fault, facts, body.Span, out rate, out paid);
            }

            if (refusal is not null)
            {
                fault = SimulatorFault.None;
                status = refusal.Status;
                refusal.WriteTo(output!);
            }
            else
            {
                if (TakeFailure())
                {
                    fault = SimulatorFault.Error;
                    GiveBack(paid);
                    paid = false;
                }

                if (fault != SimulatorFault.None)
                {
                    counters.Meet(fault);
                }

                latency = fault == SimulatorFault.Stall ? Timeout.InfiniteTimeSpan : SimulatorLatency.Of(options, hash);
                if (fault is SimulatorFault.None or SimulatorFault.Cut && !facts.Streamed)
                {
                    latency += SimulatorLatency.OfOutput(options, facts.CompletionTokens);
                }

                if (latency != TimeSpan.Zero)
                {
                    // Also cut short by the end of the server, which aborts its connections.
                    await Task.Delay(latency, options.TimeProvider, context.Get<IHttpRequestLifetimeFeature>()!.RequestAborted);
                }

                output ??= JsonOut.Rent(options.Compact);
                switch (fault)
                {
                    case SimulatorFault.Error:
                        status = options.ErrorStatus;
                        Problem.Simulated(status).WriteTo(output);
                        break;
                    case SimulatorFault.Reset:
                        status = ConnectionReset;
                        output.Return();
                        output = null;
                        break;
                    default:
                        status = answered != 0 ? answered : Answer.Write(path, body.Span, hash, options.EmbeddingDimensions, output, out facts);
                        if (fault == SimulatorFault.ErrorInOk)
                        {
                            status = StatusCodes.Status200OK;
                            Problem.WriteErrorInOk(hash, facts.Streamed, output);
                        }

                        break;
                }
            }

            if (rented is null)
            {
                reader.AdvanceTo(read.Buffer.End);
            }
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            output = JsonOut.Rent(options.Compact);
            status = e.StatusCode;
            rate = _limits?.Look();
            Problem.TooLarge.WriteTo(output);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            GiveBack(paid); // the client has left, or the server ends
            status = ClientLeft;
            output?.Return();
            output = null;
        }
        finally
        {
            if (!facts.Streamed || status != StatusCodes.Status200OK)
            {
                counters.Leave(path, status); // a stream leaves with its last event
            }

            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }

        if (output is null)
        {
            context.Get<IHttpRequestLifetimeFeature>()!.Abort();
            return;
        }

        IHttpResponseFeature response = context.Get<IHttpResponseFeature>()!;
        WriteHeaders(response.Headers, hash, latency, rate);
        int length = output.Length;
        Ledger.Digest digest = entry == 0 ? default : Ledger.Digest.Of(output.Written.Span);
        if (facts.Streamed && status == StatusCodes.Status200OK)
        {
            bool whole = await _events.SendAsync(context, response, path, fault, facts, output);
            GiveBack(paid && !whole);
            if (whole && entry != 0)
            {
                _ledger!.Response(entry, status, length, digest);
            }

            return;
        }

        if (fault == SimulatorFault.Cut)
        {
            await Delivery.HalfAsync(context, response, status, output);
            return;
        }

        bool billed = status == StatusCodes.Status200OK && fault == SimulatorFault.None;
        if (billed)
        {
            counters.BodySent(1);
        }

        bool taken = await Delivery.WholeAsync(context, response, status, output);
        if (!taken && billed)
        {
            counters.BodySent(-1);
            GiveBack(paid);
        }

        if (taken && entry != 0)
        {
            _ledger!.Response(entry, status, length, digest);
        }
    }

    /// <summary>Decides whether a send may go on: first there must be money, then room. Both are looked at, but not used up, by what is no answer of the model.</summary>
    private Problem? Admit(int answered, SimulatorFault fault, AnswerFacts facts, ReadOnlySpan<byte> body, out RateVerdict? rate, out bool paid)
    {
        bool good = answered == StatusCodes.Status200OK;
        paid = false;
        if (options.QuotaAfter is { } quota)
        {
            bool pays = good && fault == SimulatorFault.None;
            paid = pays && TryPay(quota);
            if (pays ? !paid : Volatile.Read(ref _answersPaid) >= quota)
            {
                rate = _limits?.Look();
                return Problem.NoQuota;
            }
        }

        rate = good ? _limits?.Take(facts.CountedTokens, body) : _limits?.Look();
        if (rate?.Refusal is not null)
        {
            GiveBack(paid);
            paid = false;
        }

        return rate?.Refusal;
    }

    private bool TryPay(long quota)
    {
        long paid = Volatile.Read(ref _answersPaid);
        while (paid < quota)
        {
            long seen = Interlocked.CompareExchange(ref _answersPaid, paid + 1, paid);
            if (seen == paid)
            {
                return true;
            }

            paid = seen;
        }

        return false;
    }

    private void GiveBack(bool paid)
    {
        if (paid)
        {
            Interlocked.Decrement(ref _answersPaid);
        }
    }

    private static void WriteHeaders(IHeaderDictionary headers, BodyHash hash, TimeSpan latency, RateVerdict? rate)
    {
        headers["x-request-id"] = string.Create(36, hash, static (chars, hash) =>
        {
            "req_".CopyTo(chars);
            hash.High.TryFormat(chars[4..], out _, "x16");
            hash.Low.TryFormat(chars[20..], out _, "x16");
        });
        headers["openai-version"] = s_version;
        headers["openai-processing-ms"] = latency == TimeSpan.Zero ? s_noTime : ((long)latency.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
        rate?.WriteTo(headers);
    }

    /// <summary>Answers what is not a send: the list of models, and the counts.</summary>
    private async Task TellAsync(IFeatureCollection context, ServedPath path)
    {
        JsonOut output = JsonOut.Rent(options.Compact);
        if (path == ServedPath.Stats)
        {
            counters.Snapshot().WriteTo(output);
        }
        else
        {
            counters.Enter();
            Answer.WriteModels(output);
            counters.Leave(path, StatusCodes.Status200OK);
        }

        await Delivery.WholeAsync(context, context.Get<IHttpResponseFeature>()!, StatusCodes.Status200OK, output);
    }

    private async Task RefuseAsync(IFeatureCollection context, IHttpRequestFeature request, ServedPath path, string allowed)
    {
        Problem problem = path == ServedPath.Other
            ? new Problem(StatusCodes.Status404NotFound, $"Invalid URL ({request.Method} {request.Path})")
            : new Problem(StatusCodes.Status405MethodNotAllowed, $"Not allowed to {request.Method} on {request.Path}. (HINT: Perhaps you meant to use a different HTTP method?)", Code: "method_not_supported");
        if (path is not (ServedPath.Stats or ServedPath.Ledger))
        {
            counters.Enter();
            counters.Leave(path, problem.Status);
        }

        IHttpResponseFeature response = context.Get<IHttpResponseFeature>()!;
        if (path != ServedPath.Other)
        {
            response.Headers.Allow = allowed;
        }

        JsonOut output = JsonOut.Rent(options.Compact);
        problem.WriteTo(output);
        await Delivery.WholeAsync(context, response, problem.Status, output);
    }

    private bool TakeFailure() => Volatile.Read(ref _failuresLeft) > 0 && Interlocked.Decrement(ref _failuresLeft) >= 0;
}
