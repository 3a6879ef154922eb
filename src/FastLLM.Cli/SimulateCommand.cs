using System.CommandLine;
using System.Globalization;
using FastLLM.Simulator;

namespace FastLLM.Cli;

/// <summary><c>fastllm simulate</c>: the simulated provider as a server of its own.</summary>
internal static class SimulateCommand
{
    /// <summary>The command.</summary>
    /// <param name="time">The clock.</param>
    public static Command Create(TimeProvider time)
    {
        var command = new Command("simulate", "Serve a simulated provider on this machine: made-up answers, seeded delays and errors, no key, no cost.");
        var compact = new Option<bool>("--compact") { Description = "Send bodies without white space, for benchmarks." };
        var ledger = new Option<bool>("--ledger") { Description = "Keep a line for each send and each answer, for GET /simulator/ledger; grows as long as it runs." };

        // One line for each option of the simulator.
        Knob[] knobs =
        [
            Whole("--port", "N", "Port on 127.0.0.1; left out, a free one.", (o, n) => o.Port = n),
            Duration("--latency", "TIME", "Time to answer, such as 200ms or 1.5s; with --latency-sigma the median.", (o, t) => o.Latency = t),
            Number("--latency-sigma", "SIGMA", "Spread of the lognormal latency law; left out, all take the same time.", (o, n) => o.LatencySigma = n),
            Number("--error-rate", "P", "Share of sends that fail, 0 to 1.", (o, n) => o.ErrorRate = n),
            Whole("--error-status", "CODE", "HTTP status of those failures; left out, 503.", (o, n) => o.ErrorStatus = n),
            Whole("--fail-first", "N", "Let the first N sends fail.", (o, n) => o.FailFirst = n),
            Number("--tokens-per-second", "N", "Speed of the answer's tokens, added to the latency; left out, they cost no time.", (o, n) => o.TokensPerSecond = n),
            Whole("--rpm", "N", "Requests a minute; over it 429, with OpenAI's headers.", (o, n) => o.RequestsPerMinute = n),
            Whole("--tpm", "N", "Tokens a minute; over it 429, with OpenAI's headers.", (o, n) => o.TokensPerMinute = n),
            Number("--burst-seconds", "S", "How much of a limit may be used at once; left out, 1 second's worth.", (o, n) => o.BurstSeconds = n),
            Whole("--quota-after", "N", "Answers until the account is empty (insufficient_quota).", (o, n) => o.QuotaAfter = n),
            Number("--stall-rate", "P", "Share of sends that are never answered, 0 to 1.", (o, n) => o.StallRate = n),
            Number("--reset-rate", "P", "Share of sends whose connection is reset, 0 to 1.", (o, n) => o.ResetRate = n),
            Number("--cut-rate", "P", "Share of answers that end half-way, 0 to 1.", (o, n) => o.CutRate = n),
            Number("--error-in-ok-rate", "P", "Share of answers that are errors with status 200, 0 to 1.", (o, n) => o.ErrorInOkRate = n),
            Whole("--seed", "N", "Seed of delays and errors: same seed and same requests, same trace.", (o, n) => o.Seed = n),
            Whole("--embedding-dimensions", "N", "Length of vectors where a request does not say it.", (o, n) => o.EmbeddingDimensions = n),
        ];

        foreach (Knob knob in knobs)
        {
            command.Options.Add(knob.Option);
        }

        command.Options.Add(compact);
        command.Options.Add(ledger);
        command.SetAction((result, _) =>
        {
            var options = new SimulatorOptions { TimeProvider = time, Compact = result.GetValue(compact), Ledger = result.GetValue(ledger) };
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
            throw new UsageException(string.Create(
                CultureInfo.InvariantCulture, $"The simulator cannot listen on port {options.Port}: {e.Message} Choose another --port, or leave it out for a free one."), e);
        }

        await using (server.ConfigureAwait(false))
        {
            await output.WriteLineAsync(server.ApiBase).ConfigureAwait(false);
            await output.FlushAsync(CancellationToken.None).ConfigureAwait(false);
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
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{requests:N0} requests · {stats.Sends:N0} sends · {stats.DistinctBodies:N0} distinct bodies · {stats.BodiesSent:N0} answers sent whole · at most {stats.PeakInFlight:N0} in flight");
    }

    private static Knob Whole(string name, string value, string description, Action<SimulatorOptions, int> set) => new(name, value, description, (options, text) =>
        set(options, int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw new UsageException($"{name} \"{TerminalText.Clean(text, 40)}\" is no whole number that fits.")));

    private static Knob Number(string name, string value, string description, Action<SimulatorOptions, double> set) => new(name, value, description, (options, text) =>
        set(options, double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? number
            : throw new UsageException($"{name} \"{TerminalText.Clean(text, 40)}\" is no number.")));

    private static Knob Duration(string name, string value, string description, Action<SimulatorOptions, TimeSpan> set) =>
        new(name, value, description, (options, text) => set(options, DurationText.Parse(name, text)));

    /// <summary>An option that sets one property of the simulator; the property itself says what fits.</summary>
    private sealed class Knob(string name, string value, string description, Action<SimulatorOptions, string> set)
    {
        public Option<string?> Option { get; } = new(name) { HelpName = value, Description = description };

        public void Set(SimulatorOptions options, ParseResult result)
        {
            if (result.GetValue(Option) is not { } text)
            {
                return;
            }

            try
            {
                set(options, text);
            }
            catch (ArgumentOutOfRangeException e)
            {
                string reason = e.Message.Split(" (Parameter", 2)[0];
                throw new UsageException($"{name} {TerminalText.Clean(text, 40)} is out of range: {reason}", e);
            }
        }
    }
}
