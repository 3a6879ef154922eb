using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace FastLLM.Cli;

/// <summary>Writes the events of <c>--json</c>, one JSON object per line.</summary>
/// <remarks>
/// <c>docs/json-events.md</c> describes the events. Members may be added, but the existing ones keep their meaning.
/// Safe for concurrent use. Each line is one write. After the reader closes the pipe, events are dropped and the run continues.
/// Non-ASCII characters are escaped, so that no control character reaches a terminal.
/// </remarks>
internal sealed class JsonEvents : IProgress<TokenStats>
{
    private static readonly TimeSpan ProgressEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly ArrayBufferWriter<byte> _buffer = new(1024);
    private readonly Stream _output;
    private readonly TimeProvider _time;
    private long? _lastProgress;

    /// <summary>Initializes the events of a run. The stream is not closed.</summary>
    public JsonEvents(Stream output, TimeProvider time)
    {
        _output = output;
        _time = time;
    }

    /// <summary>Gets a callback that is invoked once if events can no longer be written.</summary>
    public Action<string>? OnFault { get; init; }

    /// <summary>Gets a value indicating whether the reader has closed the pipe, or events cannot be written.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Writes <c>start</c>, before the first send.</summary>
    /// <param name="input">The name of the input; <c>-</c> for standard input.</param>
    /// <param name="output">The name of the output; <c>-</c> for standard output.</param>
    /// <param name="baseUrl">The base URL that requests are sent to; <see langword="null"/> if none are sent.</param>
    /// <param name="rows">The number of rows; <see langword="null"/> if it is unknown.</param>
    /// <param name="kept">The number of rows that are in the output already.</param>
    public void Start(string input, string output, string? baseUrl, long? rows, long kept) => Write("start", json =>
    {
        json.WriteString("version", Program.Version);
        json.WriteString("input", input);
        json.WriteString("output", output);
        if (baseUrl is not null)
        {
            json.WriteString("base_url", baseUrl);
        }

        Number(json, "rows", rows);
        json.WriteNumber("kept", kept);
    });

    /// <inheritdoc cref="Progress"/>
    public void Report(TokenStats value) => Progress(value);

    /// <summary>Writes <c>progress</c>, at most once per second; other calls are ignored.</summary>
    /// <param name="stats">The statistics.</param>
    /// <param name="total">The number of requests, if it is not in <paramref name="stats"/>.</param>
    public void Progress(TokenStats stats, long? total = null)
    {
        lock (_gate)
        {
            if (_lastProgress is { } last && _time.GetElapsedTime(last) < ProgressEvery)
            {
                return;
            }

            _lastProgress = _time.GetTimestamp();
        }

        Write("progress", json => Numbers(json, stats, total));
    }

    /// <summary>Writes <c>row_failed</c>, when a row has failed for good.</summary>
    public void RowFailed(string customId, LlmException failure) => Write("row_failed", json =>
    {
        json.WriteString("custom_id", customId);
        json.WriteString("kind", failure.Kind.ToString());
        Number(json, "status", failure.StatusCode);
        json.WriteNumber("attempts", failure.Attempts);
        json.WriteString("message", failure.Message);
    });

    /// <summary>Writes <c>notice</c>, for information that is not a failure.</summary>
    public void Notice(string message) => Write("notice", json => json.WriteString("message", message));

    /// <summary>Writes <c>done</c>, the last event of a run.</summary>
    public void Done(int exitCode, Summary summary) => Write("done", json =>
    {
        json.WriteNumber("exit_code", exitCode);
        JobResult result = summary.Result;
        json.WriteNumber("rows", result.Rows);
        json.WriteNumber("kept", result.Kept);
        json.WriteNumber("duplicates", result.Equal);
        json.WriteNumber("answered", result.Answered);
        json.WriteNumber("rows_failed", result.Failed);
        Numbers(json, result.Stats, result.Rows - result.Kept);
        json.WriteNumber("job_cost", result.JobCost);
        if (result.Budget is { } budget)
        {
            json.WriteNumber("max_cost", budget);
        }

        json.WriteStartArray("failures");
        foreach ((FailureKind kind, long count, string example) in summary.Failures)
        {
            json.WriteStartObject();
            json.WriteString("kind", kind.ToString());
            json.WriteNumber("count", count);
            json.WriteString("example", example);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        DistributionText.WriteCounts(json, "finish_reasons", result.FinishReasons);
        if (result.Distribution is { } distribution)
        {
            DistributionText.Write(json, distribution);
        }

        if (summary.Result.OutputFile is { } output)
        {
            json.WriteString("output", output);
        }

        if (summary.ResumeCommand is not null)
        {
            json.WriteString("resume", summary.ResumeCommand);
        }
    });

    /// <summary>Writes <c>estimate</c>, the only event of a dry run.</summary>
    public void Estimate(JobPlan estimate) => Write("estimate", json =>
    {
        json.WriteNumber("rows", estimate.Rows);
        json.WriteNumber("distinct", estimate.Distinct);
        json.WriteNumber("kept", estimate.Kept);
        json.WriteNumber("cached", estimate.Cached);
        json.WriteNumber("shared", estimate.Shared);
        json.WriteNumber("to_send", estimate.ToSend);
        json.WriteNumber("invalid", estimate.Invalid);
        json.WriteNumber("spent", estimate.Spent);
        if (estimate.MaxRequestCost is { } most)
        {
            json.WriteNumber("max_request_cost", most / 1.000000000000000000000000000m);
        }

        Range(json, "cost", estimate.LowCost, estimate.LikelyCost, estimate.HighCost);
        json.WriteStartArray("models");
        foreach (ModelEstimate model in estimate.Models)
        {
            json.WriteStartObject();
            json.WriteString("model", model.Model);
            json.WriteNumber("requests", model.Requests);
            json.WriteNumber("learnt_from", model.LearntFrom);
            if (model.Vocabulary is { } vocabulary)
            {
                json.WriteString("vocabulary", vocabulary);
                json.WriteNumber("counted", model.Counted);
            }

            json.WriteNumber("bytes_per_token", Math.Round(model.BytesPerToken, 3));
            json.WriteNumber("tokens_per_answer", Math.Round(model.TokensPerAnswer, 3));
            Range(json, "prompt_tokens", model.PromptTokens.Low, model.PromptTokens.Likely, model.PromptTokens.High);
            Range(json, "completion_tokens", model.CompletionTokens.Low, model.CompletionTokens.Likely, model.CompletionTokens.High);
            Range(json, "cost", model.LowCost, model.LikelyCost, model.HighCost);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (estimate.FirstBody is not null)
        {
            json.WriteStartObject("first");
            json.WriteString("url", estimate.FirstEndpoint);
            json.WriteString("body", estimate.FirstBody);
            json.WriteEndObject();
        }
    });

    /// <summary>Writes <c>error</c>, the last event of a command that could not run.</summary>
    /// <param name="exitCode">The exit code of the process.</param>
    /// <param name="message">What is wrong, and what to do.</param>
    public void Error(int exitCode, string message) => Write("error", json =>
    {
        json.WriteNumber("exit_code", exitCode);
        json.WriteString("message", message);
    });

    // Unknown values are null: a missing price, or a maximum without a limit.
    private static void Range(Utf8JsonWriter json, string name, decimal? low, decimal? likely, decimal? high)
    {
        json.WriteStartObject(name);
        foreach ((string member, decimal? value) in ((string, decimal?)[])[("low", low), ("likely", likely), ("high", high)])
        {
            if (value is { } known)
            {
                json.WriteNumber(member, known);
            }
            else
            {
                json.WriteNull(member);
            }
        }

        json.WriteEndObject();
    }

    private static void Number(Utf8JsonWriter json, string name, long? number)
    {
        if (number is { } value)
        {
            json.WriteNumber(name, value);
        }
    }

    private static void Numbers(Utf8JsonWriter json, TokenStats stats, long? total)
    {
        Number(json, "total", total ?? stats.RequestsTotal);
        json.WriteNumber("completed", stats.RequestsCompleted);
        json.WriteNumber("ok", stats.RequestsCompleted - stats.Failed);
        json.WriteNumber("failed", stats.Failed);
        json.WriteNumber("cached", stats.CacheHits);
        json.WriteNumber("shared", stats.Shared);
        json.WriteNumber("in_flight", stats.InFlight);
        json.WriteNumber("sent", stats.Sent);
        json.WriteNumber("retried", stats.Retried);
        json.WriteNumber("corrected", stats.Corrected);
        json.WriteNumber("throttled", stats.Throttled);
        json.WriteNumber("maybe_billed", stats.MaybeBilled);
        json.WriteNumber("prompt_tokens", stats.PromptTokens);
        json.WriteNumber("completion_tokens", stats.CompletionTokens);
        json.WriteNumber("cost", stats.Cost);
        json.WriteNumber("unpriced", stats.Unpriced);
        json.WriteNumber("concurrency_limit", stats.ConcurrencyLimit);
        json.WriteString("limited_by", BottleneckText.Id(stats.LimitedBy));
        json.WriteStartObject("limited_by_shares");
        foreach ((Bottleneck bottleneck, int percent) in BottleneckText.Percentages(stats.LimitedByShares))
        {
            json.WriteNumber(BottleneckText.Id(bottleneck), percent);
        }

        json.WriteEndObject();
        LearnedJson.Write(json, stats.LearnedLimits);
        json.WriteNumber("elapsed_s", Math.Round(stats.ElapsedTime.TotalSeconds, 3));
    }

    private void Write(string name, Action<Utf8JsonWriter> members)
    {
        lock (_gate)
        {
            if (IsClosed)
            {
                return;
            }

            _buffer.ResetWrittenCount();
            using (var json = new Utf8JsonWriter(_buffer))
            {
                json.WriteStartObject();
                json.WriteString("event", name);
                json.WriteString("time", _time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
                members(json);
                json.WriteEndObject();
            }

            _buffer.Write("\n"u8);
            try
            {
                _output.Write(_buffer.WrittenSpan);
                _output.Flush();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                IsClosed = true;
                OnFault?.Invoke($"Cannot write events to standard output: {e.Message.TrimEnd('.')}. The command continues without them.");
            }
        }
    }
}
