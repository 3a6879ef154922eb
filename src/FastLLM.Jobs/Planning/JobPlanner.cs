using System.Text;
using System.Text.Json;
using FastLLM.Costs;
using FastLLM.Jobs.Output;
using FastLLM.Json;
using FastLLM.Pipeline;
using FastLLM.RateLimiting;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Planning;

/// <summary>Reads the rows of a job as its run does, but looks them up in the cache and estimates their cost instead of sending
/// them.</summary>
internal sealed class JobPlanner(JobSetup setup)
{
    private const long MaxLearnedFrom = 2_000;

    private readonly Dictionary<string, UsageEstimator> _estimators = new(StringComparer.Ordinal);
    private decimal? _maxCost;
    private string? _maxCostText;

    /// <summary>Plans a job. Sends and writes nothing.</summary>
    /// <exception cref="IOException">The input or the output cannot be read.</exception>
    /// <exception cref="InvalidDataException">There is a budget, and rows whose cost has no bound.</exception>
    public async Task<JobPlan> PlanAsync(CancellationToken cancellationToken)
    {
        setup.RefuseUnbounded(); // as the run does
        setup.SayForm();
        bool resumes = setup.Options is { Fresh: false, Output: not Job.Pipe };
        string? log = resumes && File.Exists(setup.Shape.Log) ? setup.Shape.Log : null;
        RefreshJournal? refreshes = resumes ? setup.ReadRefreshes(setup.Shape.Log) : null;
        ResumeState resume = setup.NewResumeState(refreshes?.Continued?.Number);
        decimal spent = 0;
        if (log is not null)
        {
            OutputPath.Check(log); // a pipe would be waited for
            OutputScan.RefuseOther(log);
            resume.Read(log);
            setup.RefuseOtherSample(resume);
        }

        if (resumes)
        {
            // An interrupted run may have paid without leaving a record, and so without an output.
            using var journal = new CostJournal(setup.Shape.Log);
            journal.Read();
            await resume.Unstated.CountAsync(setup, resume, journal, cancellationToken).ConfigureAwait(false);
            spent = resume.Cost + resume.Unstated.Cost + journal.Unrecorded;
            if (resume.Unstated.Notice(setup.Shape.Log) is { } notice)
            {
                setup.Say(notice);
            }
        }

        using SafeFileHandle? file = log is null ? null : OutputScan.OpenForReading(log);
        RecordReader? records = file is null ? null : new RecordReader(file);
        HashSet<ulong> keys = [];
        (long cached, long shared, long invalid) = (0, 0, 0);
        using RecordedAnswers? answers = log is null ? null : new RecordedAnswers(setup.Index.Answers, log);
        (string? firstEndpoint, string? firstBody) = (null, null);
        await foreach (PlannedRow row in setup.Index.ReadAsync(resume, reusesRows: true, cancellationToken).ConfigureAwait(false))
        {
            if (!row.IsWithinLimit || (!setup.IsPipe && resume.Kept == setup.Index.Count))
            {
                break; // the job needs no more rows, or no row at all
            }

            if (row.IsKept)
            {
                Learn(row, records!);
            }
            else if (row.Request is not { } request)
            {
                invalid++;
            }
            else if (keys.Add(setup.Index.Rows.KeyOf(row.Place)))
            {
                if (await FindCachedAsync(request, cancellationToken).ConfigureAwait(false) is { IsFound: true, Response: var answer })
                {
                    cached++;
                    Learn(request, answer!.Usage);
                    continue;
                }

                if (answers?.Find(request.Key) is { } body)
                {
                    shared++;
                    Learn(request, LlmResponse.FromBody(body).Usage);
                    continue;
                }

                SeeCost(request);
                TokenUpperBound most = TokenUpperBound.Of(request);
                EstimatorOf(request).Add(request, TokenDemand.Of(request).Bytes, most.Output, most.Choices);
                if (firstBody is null)
                {
                    (firstEndpoint, firstBody) = (request.Endpoint, Encoding.UTF8.GetString(request.Body.Span));
                }
            }
        }

        setup.Index.ThrowIfTemplateIsWrong();
        return new JobPlan(setup)
        {
            Rows = setup.Index.Count,
            Distinct = setup.Index.Rows.CountKeys((int)setup.Index.Count).Distinct,
            Kept = resume.Kept,
            Cached = cached,
            Shared = shared,
            Invalid = invalid,
            Models =
            [
                .. _estimators.Values.Where(estimator => estimator.Requests > 0).Select(estimator => estimator.ToEstimate())
                    .OrderByDescending(model => model.Requests),
            ],
            MaxRequestCost = _maxCost,
            MaxRequestCostText = _maxCostText,
            Budget = setup.Manager.Options.Budget,
            Spent = spent,
            Recorded = resume.Cost,
            FirstEndpoint = firstEndpoint,
            FirstBody = firstBody,
        };
    }

    private void SeeCost(LlmRequest request)
    {
        if (setup.Manager.Costs.Bound(request, out decimal cost) is null && !(cost <= _maxCost))
        {
            _maxCost = cost;
            _maxCostText = setup.Manager.Costs.Explain(request);
        }
    }

    private async ValueTask<CachedAnswer<LlmResponse>> FindCachedAsync(LlmRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return setup.Manager.Answers is { } answers
                ? (await answers.GetAsync(request, setup.Options.Answers?.Check, cancellationToken).ConfigureAwait(false)).Answer
                : default;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"An answer in the cache cannot be read: {e.Message}", e);
        }
    }

    private void Learn(in PlannedRow row, RecordReader records)
    {
        if (row.Request is { } request && !setup.Index.Rows.IsFailure(row.Place) && EstimatorOf(request).Seen < MaxLearnedFrom)
        {
            Learn(request, UsageOf(records.Read(row.Record)));
        }
    }

    private void Learn(LlmRequest request, Usage? usage)
    {
        if (usage is { IsPlausible: true } && EstimatorOf(request) is { Seen: < MaxLearnedFrom } estimator)
        {
            estimator.Learn(TokenDemand.Of(request).Bytes, usage);
        }
    }

    private UsageEstimator EstimatorOf(LlmRequest request)
    {
        string model = request.Model ?? "";
        if (!_estimators.TryGetValue(model, out UsageEstimator? estimator))
        {
            ModelPrice? price = setup.Manager.Options.Prices is { } prices && prices.TryGet(model, out ModelPrice? known) ? known : null;
            _estimators[model] = estimator = new UsageEstimator(model, price, corrects: setup.Options.Answers is not null);
        }

        return estimator;
    }

    private static Usage? UsageOf(ReadOnlySpan<byte> record)
    {
        try
        {
            var reader = new Utf8JsonReader(record);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            JsonElement body = document.RootElement.Member("response").Member("body");
            return body.ValueKind == JsonValueKind.Object ? LlmResponse.FromBody(body.RawBytes().ToArray()).Usage : null;
        }
        catch (JsonException)
        {
            return null; // nested more deeply than an answer of the engine
        }
    }
}
