using System.Text;
using System.Text.Json;
using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Input;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.RateLimiting;
using Microsoft.Win32.SafeHandles;

namespace FastLLM;

// Before the money: the input is read as for a run, output and cache are looked at, and nothing is sent or written.
public sealed partial class Job
{
    private const long MaxLearntFrom = 2_000;

    private readonly Dictionary<string, UsageEstimator> _forecasts = new(StringComparer.Ordinal);

    /// <summary>Tells what the run would send and cost. Sends and writes nothing; an instance that did this does not run any more.</summary>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="BatchFormatException">The input has wrong lines, and they are not to be skipped.</exception>
    /// <exception cref="IOException">The input or the output cannot be read.</exception>
    public async Task<RunEstimate> EstimateAsync(CancellationToken cancellationToken = default)
    {
        decimal spent = ReadEarlier();
        bool hasEarlier = _earlier.Count > 0;
        using SafeFileHandle? file = hasEarlier ? File.OpenHandle(_shape.Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete) : null;
        RecordReader? records = file is null ? null : new RecordReader(file);
        var asked = new HashSet<ulong>();
        var all = new HashSet<ulong>();
        (long rows, long kept, long cached) = (0, 0, 0);
        LlmRequest? first = null;
        InputCheck check = await CheckAsync(_options, _table, columns: null, cancellationToken, ask: async row =>
        {
            rows += row.IsWithinLimit ? 1 : 0;
            if (!row.IsWithinLimit || row.Request is not { } request)
            {
                return;
            }

            all.Add(row.Key);
            if (EarlierRecord(row) is { } offset)
            {
                kept++;
                if (!_earlierFailures.Contains(offset) && ForecastOf(request).Seen < MaxLearntFrom && UsageOf(records!.Read(offset)) is { } usage)
                {
                    ForecastOf(request).Learn(TokenDemand.Of(request).Bytes, usage);
                }
            }
            else if (asked.Add(row.Key))
            {
                if (await FromCacheAsync(request, cancellationToken).ConfigureAwait(false))
                {
                    cached++;
                    return;
                }

                TokenUpperBound most = TokenUpperBound.Of(request);
                ForecastOf(request).Add(TokenDemand.Of(request).Bytes, most.Output, most.Choices);
                first ??= request;
            }
        }).ConfigureAwait(false);
        if (check.ErrorCount > 0 && !_options.SkipInvalid && !InputIsPipe)
        {
            throw new BatchFormatException(check.Errors, check.ErrorCount);
        }

        ModelEstimate[] models = [.. _forecasts.Values.Where(forecast => forecast.Requests > 0).Select(forecast => forecast.ToEstimate()).OrderByDescending(model => model.Requests)];
        return new RunEstimate
        {
            Rows = rows,
            Distinct = all.Count,
            Kept = kept,
            Cached = cached,
            ToSend = models.Sum(model => model.Requests),
            Invalid = check.ErrorCount,
            Models = models,
            Spent = spent,
            FirstEndpoint = first?.Endpoint,
            FirstBody = first is null ? null : Encoding.UTF8.GetString(first.Body.Span),
        };
    }

    // As a run would see it, but without mending it.
    private decimal ReadEarlier()
    {
        if (_options.Output == Pipe || _options.Fresh || !File.Exists(_shape.Log))
        {
            return 0;
        }

        using var file = new CostJournal(_shape.Log);
        file.Read();
        decimal spent = file.Unrecorded;
        foreach (OutputEntry entry in OutputFile.ScanFile(_shape.Log))
        {
            if (!entry.IsDamaged)
            {
                spent += entry.Cost ?? 0;
                RememberEarlier(RowIndex.Fingerprint(entry.CustomId), entry, IsToRefresh(entry));
            }
        }

        return spent;
    }

    private long? EarlierRecord(in AskedRow row)
    {
        int place = _earlier.Find(RowIndex.Fingerprint(row.Id));
        if (place < 0 || (_earlier.KeyOf(place) != RowIndex.NoKey && _earlier.KeyOf(place) != row.Key))
        {
            return null;
        }

        long offset = _earlier.RecordOf(place);
        return offset == RowIndex.NoRecord || (_options.RetryFailed && _earlierFailures.Contains(offset)) ? null : offset;
    }

    private async ValueTask<bool> FromCacheAsync(LlmRequest request, CancellationToken cancellationToken)
    {
        if (_manager.Answers is not { } answers)
        {
            return false;
        }

        LlmResponse response;
        try
        {
            if (await answers.GetAsync(request.Key, cancellationToken).ConfigureAwait(false) is not { IsFound: true, Response: { } found })
            {
                return false;
            }

            response = found;
        }
        catch (JsonException)
        {
            return true;
        }

        if (ForecastOf(request) is var forecast && forecast.Seen < MaxLearntFrom && response.Usage is { } usage)
        {
            forecast.Learn(TokenDemand.Of(request).Bytes, usage);
        }

        return true;
    }

    private UsageEstimator ForecastOf(LlmRequest request)
    {
        string model = request.Model ?? "";
        if (!_forecasts.TryGetValue(model, out UsageEstimator? forecast))
        {
            _forecasts[model] = forecast = new UsageEstimator(model, _manager.Options.Prices is { } prices && prices.TryGet(model, out ModelPrice? price) ? price : null);
        }

        return forecast;
    }

    private static Usage? UsageOf(ReadOnlySpan<byte> record)
    {
        try
        {
            var reader = new Utf8JsonReader(record);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            return document.RootElement.TryGetProperty("response", out JsonElement response) && response.TryGetProperty("body", out JsonElement body)
                ? LlmResponse.FromBody(Encoding.UTF8.GetBytes(body.GetRawText())).Usage
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null; // somebody else's record
        }
    }
}
