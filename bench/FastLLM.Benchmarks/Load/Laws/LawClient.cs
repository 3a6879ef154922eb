using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Load.Laws;

/// <summary>A client as a process of its own, which sends until its standard input ends.</summary>
internal abstract class LawClient
{
    public const string ChildCommand = "law-child";

    private static readonly TimeSpan s_stopsWithin = TimeSpan.FromSeconds(5);

    public abstract string Name { get; }

    /// <summary>Gets the clients that the flags ask for and that this machine has; the engine is the first.</summary>
    public static IReadOnlyList<LawClient> Of(Flags flags) =>
    [
        new Library(),
        .. flags.Has("--cli") ? (LawClient[])[new CommandLine()] : [],
        .. !flags.Has("--no-peers") && NpmOpenAI.IsHere ? (LawClient[])[new NpmOpenAI()] : [],
    ];

    /// <summary>Runs the client against a server of its own for as long as the case says, and no longer.</summary>
    public async Task<LawResult> RunAsync(LawCase one)
    {
        await using ServerProcess server = await ServerProcess.StartAsync(one.LatencyMilliseconds, one.Sigma, one.ServerArguments);
        using var folder = new TemporaryFolder();
        using Process client = await StartAsync(server.ApiBase, one, folder);
        Task<string> said = client.StandardOutput.ReadToEndAsync();
        LawTrace trace = await LawTrace.WatchAsync(server.ApiBase, one.Seconds);
        client.StandardInput.Close();
        Task stopped = client.WaitForExitAsync();
        if (!EndsAlone || await Task.WhenAny(stopped, Task.Delay(s_stopsWithin)) != stopped)
        {
            client.Kill();
            await stopped;
        }

        string counts = (await said).Trim();
        using JsonDocument? parsed = counts.StartsWith('{') ? JsonDocument.Parse(counts) : null;
        return new LawResult(trace, parsed?.RootElement.GetProperty("failed").GetInt64());
    }

    /// <summary>The other process of <see cref="Library"/>: the engine with its defaults.</summary>
    public static async Task<int> RunChildAsync(Flags flags)
    {
        using var stop = new CancellationTokenSource();
        _ = Task.Run(async () =>
        {
            await Console.In.ReadToEndAsync();
            await stop.CancelAsync();
        });
        long rows = 0, failed = 0;
        await using var manager = new RequestManager(
            new OpenAIProvider("no-key-needed", flags.Required("--url")),
            new RequestManagerOptions { Concurrency = flags.Int("--in-flight", 100), ShowProgress = false });
        try
        {
            await foreach (ResponseWrapper<LlmResponse> outcome in manager.ProcessAsync(Rows(), stop.Token))
            {
                rows++;
                failed += outcome.IsSuccess ? 0 : 1;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The time is up.
        }

        await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{{\"rows\":{rows},\"failed\":{failed}}}"));
        return 0;
    }

    /// <summary>Gets whether the client ends when its standard input does.</summary>
    protected virtual bool EndsAlone => true;

    protected abstract Task<Process> StartAsync(string apiBase, LawCase one, TemporaryFolder folder);

    private static async IAsyncEnumerable<LlmRequest> Rows()
    {
        for (int i = 0; ; i++)
        {
            yield return LlmRequest.FromPrompt(null, string.Create(CultureInfo.InvariantCulture, $"Row {i}: say something."), "m") with
            {
                MaxCompletionTokens = 16,
            };
            await Task.CompletedTask;
        }
    }

    /// <summary>FastLLM as a library.</summary>
    private sealed class Library : LawClient
    {
        public override string Name => "FastLLM";

        protected override Task<Process> StartAsync(string apiBase, LawCase one, TemporaryFolder folder) => Task.FromResult(OwnProcess.Start(
            ChildCommand, "--url", apiBase, "--in-flight", one.InFlight.ToString(CultureInfo.InvariantCulture)));
    }

    /// <summary><c>fastllm run</c> on a file of more rows than it can be through with.</summary>
    private sealed class CommandLine : LawClient
    {
        public override string Name => "fastllm run";

        protected override bool EndsAlone => false;

        protected override async Task<Process> StartAsync(string apiBase, LawCase one, TemporaryFolder folder)
        {
            string input = folder.PathOf("rows.jsonl");
            int rows = (int)(2 * one.Ideal * one.Seconds) + 2_000;
            await File.WriteAllLinesAsync(input, Enumerable.Range(0, rows).Select(i => string.Create(
                CultureInfo.InvariantCulture,
                $$"""{"model":"m","max_completion_tokens":16,"messages":[{"role":"user","content":"Row {{i}}: say something."}]}""")));
            return Start(
                Tool.Built, "run", input, "--output", folder.PathOf("out.jsonl"), "--base-url", apiBase, "--no-cache", "--quiet",
                "--concurrency", one.InFlight.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>The openai package of npm with p-limit; see bench/peers.</summary>
    private sealed class NpmOpenAI : LawClient
    {
        private static readonly string s_folder = Path.Combine(Tool.Root, "bench", "peers");

        public static bool IsHere => Directory.Exists(Path.Combine(s_folder, "node_modules", "openai"));

        public override string Name => "npm openai";

        protected override Task<Process> StartAsync(string apiBase, LawCase one, TemporaryFolder folder) => Task.FromResult(Start(
            "node", Path.Combine(s_folder, "openai.mjs"), apiBase, one.InFlight.ToString(CultureInfo.InvariantCulture)));
    }

    private static Process Start(string program, params IEnumerable<string> arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
}

/// <summary>What a client did in a case.</summary>
/// <param name="Trace">What the server has counted.</param>
/// <param name="Failed">The rows that failed; <see langword="null"/> where the client did not say.</param>
internal sealed record LawResult(LawTrace Trace, long? Failed);
