using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using FastLLM.Diagnostics;
using Microsoft.Extensions.Logging;

namespace FastLLM.TestKit.Faults;

/// <summary>Runs a <see cref="FaultCase"/>: a real manager with a real cache against a server on raw sockets.</summary>
public static class FaultRun
{
    private const string Canary = "sk-canary-5f3c9a1e77d2";

    /// <summary>Runs it.</summary>
    public static async Task<FaultFigures> RunAsync(FaultCase fault, CancellationToken cancellationToken)
    {
        var finished = 0;
        var steps = new ConcurrentQueue<FaultStep>(fault.Steps);
        await using var server = FaultServer.Start(async (request, connection) =>
        {
            await (steps.TryDequeue(out FaultStep? step) ? step : fault.Otherwise)(request, connection);
            Interlocked.Increment(ref finished);
        });
        var time = new ManualTimeProvider();
        var log = new Lines();
        await using var cache = new InMemoryCache();
        var options = new RequestManagerOptions { Concurrency = 1, RetryDelay = TimeSpan.Zero, ShowProgress = false, Cache = cache, Logger = log, TimeProvider = fault.IsTimed ? time : TimeProvider.System };
        fault.Options?.Invoke(options);
        await using var manager = new RequestManager(new OpenAIProvider(Canary, server.ApiBase), options);

        LlmRequest[] requests = [.. Enumerable.Range(0, fault.Rows).Select(i => LlmRequest.FromPrompt("fault", $"question {i}", "m"))];
        var watch = Stopwatch.StartNew();
        Task<(IReadOnlyList<ResponseWrapper> Outcomes, LlmRunException? Stopped)> work = ProcessAsync(manager, requests, cancellationToken);
        int stalls = fault.Kind is null ? fault.Steps.Count : fault.Sends;
        for (var received = 1; fault.IsTimed && received <= stalls; received++)
        {
            // The server has the request and says nothing: only now the time passes, in which it would have to.
            await Task.WhenAny(work, server.WaitForRequestsAsync(received, cancellationToken));
            await Task.WhenAny(work, time.WaitForTimersAsync(1, cancellationToken));
            time.Advance(TimeSpan.FromMinutes(5));
        }

        (IReadOnlyList<ResponseWrapper> outcomes, LlmRunException? stopped) = await work;
        watch.Stop();
        await server.DisposeAsync(); // what the server was still about is over by then, and counted
        if (fault.Stops != stopped is not null)
        {
            throw new InvalidOperationException($"{fault}: the run {(stopped is null ? "went on" : $"stopped: {stopped.Message}")}");
        }

        TokenStats stats = manager.Stats;
        ResponseWrapper[] failed = [.. outcomes.Where(outcome => outcome.Error is { Kind: not FailureKind.NotSent })];
        ResponseWrapper[] answered = [.. outcomes.Where(outcome => outcome.IsSuccess)];
        var kept = 0;
        var texts = new List<string>(log.All) { stopped?.ToString() ?? "", manager.ToString()!, options.ToString()! };
        foreach (ResponseWrapper outcome in outcomes)
        {
            texts.AddRange([outcome.ToString()!, outcome.Error?.ToString() ?? "", outcome.Error?.Body ?? "", outcome.Error?.Code ?? ""]);
            if (await cache.GetAsync(outcome.RequestId, cancellationToken: cancellationToken) is { } entry)
            {
                kept++;
                texts.Add(Encoding.UTF8.GetString(entry.Body.Span));
            }
        }

        return new FaultFigures(
            fault, answered.Length, failed.Length, outcomes.Count - failed.Length - answered.Length, failed.FirstOrDefault()?.Error!.Kind, outcomes.Sum(outcome => (long)outcome.Attempts),
            server.Requests.Count, Volatile.Read(ref finished), stats.MaybeBilled,
            Lost: Math.Max(0, answered.Length - kept), Duplicates: Math.Max(0, kept - answered.Length),
            CanaryHits: texts.Count(text => text.Contains(Canary, StringComparison.Ordinal) || text.Contains("question ", StringComparison.Ordinal)),
            watch.Elapsed.TotalSeconds, PeakMegabytes());
    }

    // Of the process so far: a case that needs more than all before it shows.
    private static double PeakMegabytes()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }

    private static async Task<(IReadOnlyList<ResponseWrapper> Outcomes, LlmRunException? Stopped)> ProcessAsync(RequestManager manager, LlmRequest[] requests, CancellationToken cancellationToken)
    {
        try
        {
            return (await manager.ProcessBatchAsync(requests, cancellationToken), null);
        }
        catch (LlmRunException e)
        {
            return (e.Responses, e);
        }
    }

    private sealed class Lines : ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IEnumerable<string> All => _lines;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue($"{formatter(state, exception)} {exception}");
    }
}
