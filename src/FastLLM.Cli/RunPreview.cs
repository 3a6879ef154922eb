using System.Collections.Concurrent;
using System.Globalization;
using FastLLM.Jobs.Reports;

namespace FastLLM.Cli;

/// <summary>Sends the first rows of a run, shows what was sent, what was received and what it cost, and asks before the others are
/// sent.</summary>
/// <remarks>The rows are the run's own: they are written to its output, and never sent again.</remarks>
/// <param name="job">The job.</param>
/// <param name="confirmation">Asks the user.</param>
/// <param name="writer">Where the rows are shown.</param>
internal sealed class RunPreview(JobOptions job, Confirmation confirmation, TextWriter writer)
{
    /// <summary>The default number of rows to show.</summary>
    public const int DefaultRows = 3;

    /// <summary>The number of rows up to which a run is its own preview.</summary>
    public const int FewRows = 20;

    private const int MaxText = 600;

    // Above that, an empty line does not start a run.
    private const decimal MaxCostByEnter = 10;

    private readonly ConcurrentQueue<(string Id, LlmRequest Request)> _sent = [];
    private readonly ConcurrentDictionary<string, ResponseWrapper<LlmResponse>> _received = new(StringComparer.Ordinal);

    /// <summary>Returns how many rows to show first.</summary>
    /// <param name="wanted">How many were requested; <see langword="null"/> for the default.</param>
    /// <param name="plan">What the run would send.</param>
    public static long RowsOf(int? wanted, JobPlan plan) => wanted is { } given
        ? (given < plan.ToSend ? given : 0)
        : plan is { Kept: 0, ToSend: > FewRows } ? DefaultRows : 0;

    /// <summary>Sends and shows the first rows.</summary>
    /// <param name="manager">A manager for these rows only, so that the progress of the run does not count them.</param>
    /// <param name="plan">The plan, which has read the input.</param>
    /// <param name="count">How many rows.</param>
    /// <param name="signals">Ends the rows early.</param>
    /// <returns>The result of the job so far.</returns>
    public async Task<JobResult> RunAsync(RequestManager manager, JobPlan plan, long count, Signals signals)
    {
        (Action<long?, long>? onPlanned, Action<string, LlmException>? onFailed) = (job.OnPlanned, job.OnRowFailed);
        Action<string, ResponseWrapper<LlmResponse>>? onWritten = job.OnRowWritten;
        (job.MaxSends, job.OnPlanned, job.OnRowFailed) = (count, null, null);
        job.OnRowSending = (id, request) => _sent.Enqueue((id, request));
        job.OnRowWritten = (id, outcome) => _received[id] = outcome;
        try
        {
            JobResult result = await Job.RunAsync(plan, manager, job, signals.Drain, signals.Abort);
            Show(result);
            return result;
        }
        finally
        {
            (job.MaxSends, job.OnPlanned, job.OnRowFailed, job.OnRowSending, job.OnRowWritten) =
                (null, onPlanned, onFailed, null, onWritten);
            job.Fresh = false; // the rows of the preview are the beginning of the output
            job.SettledRows = _received.Keys.ToHashSet(StringComparer.Ordinal);
        }
    }

    /// <summary>Asks whether to send the other rows. Without a terminal, they are sent.</summary>
    public async Task<bool> IsConfirmedAsync(JobPlan plan, JobResult shown, bool asks, CancellationToken cancellationToken)
    {
        long sent = shown.Stats.Sent == 0 ? 0 : _received.Count;
        long rest = Math.Max(0, plan.ToSend - sent);
        decimal? forecast = Forecast(rest);
        string would = job.IsSimulated ? "would cost" : "cost";
        string cost = forecast is { } known
            ? FormattableString.Invariant($" They {would} about {CostText.Dollars(known)} at this rate.")
            : "";
        string some = rest < shown.Pending ? FormattableString.Invariant($", {rest:N0} of them to send") : "";
        string left = FormattableString.Invariant($"{shown.Pending:N0} rows are left{some}.{cost}{Unknown(plan, forecast)}");
        WrappedText.Write(writer, left, HelpWriter.TerminalWidth(), indent: 0);
        string? hint = _received.Values.Select(outcome => outcome.Error is { } error ? SchemaHint.On(job, error) : null)
            .FirstOrDefault(text => text is not null);
        if (hint is not null)
        {
            WrappedText.Write(writer, hint, HelpWriter.TerminalWidth(), indent: 0);
        }

        if (!asks || !confirmation.CanAsk)
        {
            return true;
        }

        bool byEnter = _received.Values.All(outcome => outcome.IsSuccess) && !(forecast > MaxCostByEnter);
        return await confirmation.AsksAsync("Send them?", byEnter, cancellationToken);
    }

    private static string Unknown(JobPlan plan, decimal? forecast) => forecast is not null || plan.LikelyCost is not null ? ""
        : plan.Models.FirstOrDefault(model => model.Price is null) is { Model: { Length: > 0 } model }
            ? $" Their cost is unknown: no price for \"{TerminalText.Clean(model, 60)}\" (--prices FILE adds one)." : "";

    private decimal? Forecast(long rest)
    {
        decimal[] costs =
            [.. _received.Values.Where(outcome => outcome is { IsCacheHit: false, IsShared: false }).Select(outcome => outcome.Cost ?? 0)];
        return costs.Length == 0 || costs.All(cost => cost == 0) ? null : costs.Average() * rest;
    }

    private void Show(JobResult result)
    {
        if (_received.IsEmpty)
        {
            return;
        }

        string how = job.IsSimulated ? "answered by the simulator" : "sent now";
        writer.WriteLine(FormattableString.Invariant(
            $"Preview: the first {_received.Count:N0} of {result.Rows:N0} rows, {how} and kept."));
        string? shownSystem = null;
        foreach ((string id, LlmRequest request) in _sent)
        {
            if (!_received.TryGetValue(id, out ResponseWrapper<LlmResponse>? outcome))
            {
                continue;
            }

            (string? system, string question) = QuestionText.Of(request);
            writer.WriteLine();
            writer.WriteLine($"row {TerminalText.Clean(id, 60)}");
            if (system != shownSystem)
            {
                Line("system", system ?? "none");
                shownSystem = system;
            }

            Line("sent", question);
            Line(outcome.IsSuccess ? "received" : "failed", OutcomeText.Of(outcome, hasFields: job.Answers is not null));
            Line("cost", CostOf(outcome));
        }

        writer.WriteLine();
    }

    private void Line(string label, string text)
    {
        writer.Write($"  {label,-10}");
        WrappedText.Write(writer, TerminalText.Clean(text, MaxText), HelpWriter.TerminalWidth(), indent: 12, isFirstIndented: true);
    }

    private static string CostOf(ResponseWrapper<LlmResponse> outcome)
    {
        string cost = outcome.IsCacheHit ? "nothing, from the cache" : outcome.IsShared ? "nothing, shared with an equal row"
            : outcome.Cost is { } known ? CostText.Dollars(known) : "unknown";
        string tokens = outcome is { IsSuccess: true, Usage: { } usage }
            ? string.Create(CultureInfo.InvariantCulture, $" · {usage.PromptTokens:N0} tokens in, {usage.CompletionTokens:N0} out") : "";
        string time = outcome.Latency > TimeSpan.Zero
            ? string.Create(CultureInfo.InvariantCulture, $" · {outcome.Latency.TotalSeconds:0.0} s") : "";
        return cost + tokens + time;
    }
}
