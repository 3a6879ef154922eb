using System.CommandLine;
using System.Globalization;
using FastLLM.Simulator;

namespace FastLLM.Cli;

/// <summary><c>fastllm simulate</c>: serves the simulated provider.</summary>
internal static class SimulateCommand
{
    private const string ThrottleHelp =
        "Law by which to refuse with 429: random:10%, concurrency:20, window:500/10s, sliding:500/10s or bucket:50/s,burst:10. "
        + "Repeat to combine. Refused requests do not count against any law.";

    private const string ThrottleAtHelp =
        "Replace all laws at a time after the first request: 20s=bucket:25/s, or 20s=none. Repeat for more changes; "
        + "those at the same time combine.";

    private const string RetryAfterHelp =
        "Retry-After of those refusals: a time in seconds, none, or wrong:0.1x. Default: the correct time where the law knows it.";

    /// <summary>Creates the command.</summary>
    /// <param name="time">The clock.</param>
    public static Command Create(TimeProvider time)
    {
        var command = new Command(
            "simulate", "Serve a simulated provider on this machine: made-up answers, seeded delays and errors, no key, no cost.");
        var compact = new Option<bool>("--compact") { Description = "Send bodies without white space, for benchmarks." };
        var ledger = new Option<bool>("--ledger")
        {
            Description = "Keep a line for each send and each answer, for GET /simulator/ledger. Takes memory as long as it runs.",
        };

        // One line for each option of the simulator.
        Knob[] knobs =
        [
            Whole("--port", "N", "Port on 127.0.0.1. Default: a free one.", (o, n) => o.Port = n),
            Duration("--latency", "TIME", "Latency, such as 200ms; with --latency-sigma its median. Default: 0.", (o, t) => o.Latency = t),
            Number("--latency-sigma", "SIGMA", "σ of lognormal latencies. Default: 0, all are equal.", (o, n) => o.LatencySigma = n),
            Number("--tokens-per-second", "N", "Speed of output, after the latency. Default: any.", (o, n) => o.TokensPerSecond = n),
            Whole("--rpm", "N", "Requests a minute; 429 beyond, with OpenAI's headers.", (o, n) => o.RequestsPerMinute = n),
            Whole("--tpm", "N", "Tokens a minute; 429 beyond, with OpenAI's headers.", (o, n) => o.TokensPerMinute = n),
            Number("--burst-seconds", "S", "Seconds' worth of --rpm and --tpm to admit at once. Default: 1.", (o, n) => o.BurstSeconds = n),
            Each("--throttle", "LAW", ThrottleHelp, ThrottleLaw.Parse, (o, laws) => o.ThrottleLaws = laws),
            Each("--throttle-at", "TIME=LAW", ThrottleAtHelp, ThrottleChange.Parse, (o, changes) => o.ThrottleChanges = changes),
            Text("--throttle-retry-after", "RULE", RetryAfterHelp, (o, text) => o.ThrottleRetryAfter = ThrottleRetryAfter.Parse(text)),
            Whole("--quota-after", "N", "Answers until the account is empty (insufficient_quota).", (o, n) => o.QuotaAfter = n),
            Number("--error-rate", "P", "Share of sends that fail, 0 to 1.", (o, n) => o.ErrorRate = n),
            Whole("--error-status", "CODE", "HTTP status of those failures. Default: 503.", (o, n) => o.ErrorStatus = n),
            Whole("--fail-first", "N", "Number of first sends that fail.", (o, n) => o.FailFirst = n),
            Number("--stall-rate", "P", "Share of sends that are never answered, 0 to 1.", (o, n) => o.StallRate = n),
            Number("--reset-rate", "P", "Share of sends whose connection is reset, 0 to 1.", (o, n) => o.ResetRate = n),
            Number("--cut-rate", "P", "Share of answers that end half-way, 0 to 1.", (o, n) => o.CutRate = n),
            Number("--error-in-ok-rate", "P", "Share of answers that are errors with status 200, 0 to 1.", (o, n) => o.ErrorInOkRate = n),
            Number("--broken-rate", "P", "Share of answers with words before the requested JSON, 0 to 1.", (o, n) => o.BrokenRate = n),
            Whole("--seed", "N", "Seed of delays, errors and random refusals. Default: 0.", (o, n) => o.Seed = n),
            Whole("--embedding-dimensions", "N", "Length of vectors, unless requested. Default: 8.", (o, n) => o.EmbeddingDimensions = n),
        ];

        foreach (Knob knob in knobs)
        {
            command.Options.Add(knob.Option);
        }

        command.Options.Add(compact);
        command.Options.Add(ledger);
        command.SetAction((result, _) =>
        {
            var options = new SimulatorOptions { TimeProvider = time };
            options.Compact = result.GetValue(compact);
            options.Ledger = result.GetValue(ledger);
            foreach (Knob knob in knobs)
            {
                knob.Set(options, result);
            }

            return ServeAsync(options, result.InvocationConfiguration.Output, result.InvocationConfiguration.Error, time);
        });
        return command;
    }

    private static async Task<int> ServeAsync(SimulatorOptions options, TextWriter output, TextWriter error, TimeProvider time)
    {
        using var signals = new Signals(time);
        SimulatorServer server;
        try
        {
            server = await SimulatorServer.StartAsync(options, signals.Drain).ConfigureAwait(false);
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message.Split(" (Parameter", 2)[0], e);
        }
        catch (IOException e)
        {
            string remedy = "Choose another --port, or leave it out for a free one.";
            throw new UsageException($"The simulator cannot listen on port {options.Port}: {e.Message} {remedy}", e);
        }

        await using (server.ConfigureAwait(false))
        {
            try
            {
                await output.WriteLineAsync(server.ApiBase).ConfigureAwait(false);
                await output.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException && options.Port != 0)
            {
                // The caller chose the port, and so knows the address.
            }

            var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using (signals.Drain.UnsafeRegister(static state => ((TaskCompletionSource)state!).TrySetResult(), asked))
            {
                await asked.Task.ConfigureAwait(false);
            }

            await server.StopAsync(CancellationToken.None).ConfigureAwait(false);
            await error.WriteLineAsync(Line(server.Stats)).ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    private static string Line(SimulatorStats stats)
    {
        long requests = stats.Requests.Sum(path => path.Value.Sum(status => status.Value));
        string throttled = string.Concat(stats.Throttled.Select(law => string.Create(
            CultureInfo.InvariantCulture, $" · {law.Value:N0} refused by {law.Key}")));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{requests:N0} requests · {stats.Sends:N0} sends · {stats.DistinctBodies:N0} distinct bodies · "
            + $"{stats.BodiesSent:N0} answers sent whole · at most {stats.PeakInFlight:N0} in flight{throttled}");
    }

    private static Knob Whole(string name, string value, string description, Action<SimulatorOptions, int> set) =>
        Text(name, value, description, (options, text) =>
            set(options, int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
                ? number
                : throw UsageException.Invalid(name, text, "Use a whole number.")));

    private static Knob Number(string name, string value, string description, Action<SimulatorOptions, double> set) =>
        Text(name, value, description, (options, text) =>
            set(options, double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
                ? number
                : throw UsageException.Invalid(name, text, "Use a number.")));

    private static Knob Duration(string name, string value, string description, Action<SimulatorOptions, TimeSpan> set) =>
        Text(name, value, description, (options, text) => set(options, DurationText.Parse(name, text)));

    private static Knob Text(string name, string value, string description, Action<SimulatorOptions, string> set)
    {
        var option = new Option<string?>(name) { HelpName = value, Description = description };
        return new Knob(option, result => result.GetValue(option) is { } text ? [text] : [], (options, texts) => set(options, texts[0]));
    }

    private static Knob Each<T>(
        string name, string value, string description, Func<string, T> parse, Action<SimulatorOptions, IReadOnlyList<T>> set)
    {
        var option = new Option<string[]>(name) { HelpName = value, Description = description };
        return new Knob(option, result => result.GetValue(option) ?? [], (options, texts) => set(options, [.. texts.Select(parse)]));
    }

    /// <summary>An option that sets one property of the simulator; the property itself checks the value.</summary>
    private sealed class Knob(Option option, Func<ParseResult, string[]> read, Action<SimulatorOptions, string[]> set)
    {
        public Option Option => option;

        public void Set(SimulatorOptions options, ParseResult result)
        {
            string[] texts = read(result);
            try
            {
                if (texts.Length > 0)
                {
                    set(options, texts);
                }
            }
            catch (ArgumentOutOfRangeException e)
            {
                string reason = e.Message.Split(" (Parameter", 2)[0];
                int must = reason.IndexOf(" must be ", StringComparison.Ordinal); // the name before it is that of a property
                reason = must < 0 ? reason : "It" + reason[must..];
                throw new UsageException($"{option.Name} {TerminalText.Clean(texts[0], 40)} is out of range. {reason}", e);
            }
            catch (FormatException e)
            {
                throw new UsageException($"{option.Name} {TerminalText.Clean(e.Message, 400)}", e);
            }
        }
    }
}
