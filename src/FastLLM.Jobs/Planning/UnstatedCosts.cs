using System.Globalization;
using System.Text.Json;
using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Output;
using FastLLM.Json;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Planning;

/// <summary>Counts what earlier runs paid, or may have paid, without stating it: runs without prices, answers without usage, and sends of
/// unknown outcome in runs without a budget, with a record or without.</summary>
/// <remarks>Usage counts at the prices that are known now. Without it, an answer costs the worst case of its request, and so does each send
/// of unknown outcome; if it has no record, the highest worst case of all rows. 16 bytes for each such record.</remarks>
internal sealed class UnstatedCosts(bool hasBudget)
{
    private const int NoRow = -1;
    private const int ShownUnknown = 3;
    private const string Rule = "their usage at the prices known now, or the worst case";

    // An answer that was rejected, and its correction, whose request contains that answer and may cost more than the first.
    private const int WithCorrection = 3;

    private static readonly JsonDocumentOptions s_json = new() { MaxDepth = 4096 };

    private readonly List<(int Place, long Offset)> _records = [];
    private readonly List<string> _unknown = [];
    private long _unknownCount;
    private long _counted;
    private long _withoutRecord;

    /// <summary>Gets the cost of all such records; 0 without a budget, since it is not exact.</summary>
    public decimal Cost => hasBudget ? Kept + Replaced : 0;

    /// <summary>Gets the cost of those that leave the output when the job is done.</summary>
    public decimal Replaced { get; private set; }

    /// <summary>Gets how many worst cases those cost beside it, without a budget: their prices or their rows are not known.</summary>
    public long ReplacedWorstCases { get; private set; }

    private decimal Kept { get; set; }

    /// <summary>Notes a record of an earlier run.</summary>
    /// <param name="entry">The record.</param>
    /// <param name="row">The row whose request it has; <see langword="null"/> if there is none.</param>
    /// <param name="isKept">Whether the record stays in the output. Without a budget, only others count: the next run reads the
    /// rest.</param>
    public void Add(in OutputEntry entry, int? row, bool isKept)
    {
        if (entry.HasUnstatedCost && (hasBudget || !isKept))
        {
            _records.Add((row ?? NoRow, entry.Offset));
        }
    }

    /// <summary>Notes that a later record takes the place of one that would have been kept.</summary>
    public void Replace(int row, long offset)
    {
        if (!hasBudget)
        {
            _records.Add((row, offset));
        }
    }

    /// <summary>Counts the costs. Reads the input only if there are such records.</summary>
    /// <param name="setup">The job.</param>
    /// <param name="resume">The state of its rows, after the output was read.</param>
    /// <param name="journal">The journal of the output, read.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="InvalidDataException">There is a budget, and records whose cost has no bound.</exception>
    public async Task CountAsync(JobSetup setup, ResumeState resume, CostJournal journal, CancellationToken cancellationToken)
    {
        if (_records.Count > 0 && (hasBudget || setup.IsSorted))
        {
            await CountRecordsAsync(setup, resume, setup.Shape.Log, cancellationToken).ConfigureAwait(false);
        }

        if (hasBudget && journal.WorstCases > 0)
        {
            await CountWithoutRecordAsync(setup, resume, journal, cancellationToken).ConfigureAwait(false);
        }

        RefuseUnknown(setup.Shape.Log);
    }

    // The sends may have been of any row.
    private async Task CountWithoutRecordAsync(
        JobSetup setup, ResumeState resume, CostJournal journal, CancellationToken cancellationToken)
    {
        decimal? highest = null;
        if (!setup.IsPipe)
        {
            await foreach (PlannedRow row in setup.Index.ReadAsync(resume, reusesRows: true, cancellationToken).ConfigureAwait(false))
            {
                if (row.Request is { } request && setup.Manager.Costs.Bound(request, out decimal bound) is null)
                {
                    highest = Math.Max(highest ?? 0, bound);
                }
            }
        }

        _withoutRecord = journal.WorstCases;
        Kept += _withoutRecord * (highest ?? 0);
        if (highest is null)
        {
            throw new InvalidDataException(string.Create(
                CultureInfo.InvariantCulture,
                $"The budget covers all runs of {setup.Shape.Log}, but what {_withoutRecord:N0} sends of earlier runs cost that have no ")
                    + $"record is not bounded, since their rows are not in a file; nothing was sent. Delete {journal.Path} if they do "
                    + "not matter, name another output (-o), or run without a budget.");
        }
    }

    private async Task CountRecordsAsync(JobSetup setup, ResumeState resume, string log, CancellationToken cancellationToken)
    {
        _records.Sort();
        using SafeFileHandle file = OutputScan.OpenForReading(log);
        var reader = new RecordReader(file);
        var next = 0;
        for (; next < _records.Count && _records[next].Place == NoRow; next++)
        {
            Count(next, null);
        }

        if (next < _records.Count)
        {
            await foreach (PlannedRow row in setup.Index.ReadAsync(resume, reusesRows: true, cancellationToken).ConfigureAwait(false))
            {
                for (; next < _records.Count && _records[next].Place == row.Place; next++)
                {
                    Count(next, row.Request);
                }

                if (next == _records.Count)
                {
                    break;
                }
            }
        }

        _records.Clear();
        _records.TrimExcess();

        void Count(int index, LlmRequest? request)
        {
            (int place, long offset) = _records[index];
            decimal cost = CostOf(setup.Manager.Costs, reader.Read(offset), request);
            _counted += cost > 0 ? 1 : 0;
            bool isKept = setup.IsPipe || (place != NoRow && setup.Index.Rows.RecordOf(place) == offset);
            (Kept, Replaced) = isKept ? (Kept + cost, Replaced) : (Kept, Replaced + cost);
        }
    }

    /// <summary>Gets a message about the costs; <see langword="null"/> if there are none.</summary>
    public FormattableString? Notice(string log)
    {
        if (Cost == 0)
        {
            return null;
        }

        FormattableString what = (_counted, _withoutRecord) switch
        {
            (_, 0) => $"{_counted:N0} records of {log} do not state all they cost",
            (0, _) => $"{_withoutRecord:N0} sends of earlier runs have no record in {log}",
            _ => $"{_counted:N0} records of {log} do not state all they cost, and {_withoutRecord:N0} sends have no record",
        };
        return $"{what}: the budget counts ${Cost:0.####} more, {Rule}.";
    }

    // What the record does not state.
    private decimal CostOf(CostMeter costs, ReadOnlySpan<byte> line, LlmRequest? request)
    {
        OutputEntry entry = OutputLine.Read(line, 0, line.Length);
        if (!entry.HasUnstatedCost)
        {
            return 0;
        }

        var json = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = s_json.MaxDepth });
        using JsonDocument document = JsonDocument.ParseValue(ref json);
        JsonElement own = document.RootElement.Member("fastllm");
        long unpriced = Math.Max(0, own.Whole("unpriced") ?? 0);
        long worst = Math.Max(0, own.Whole("maybe_billed") ?? 0);
        bool isCorrected = own.Member("corrected").ValueKind == JsonValueKind.True || own.Elements("answers").Skip(1).Any();
        bool isAnswered = entry.Cost is null && own.Whole("attempts") != 0 && entry.Succeeded;
        bool isPaid = isAnswered || (entry.Cost is null && own.Whole("attempts") != 0 && own.Text("failure") == "invalid_answer");
        decimal? priced = PricedUsage(costs, document.RootElement.Member("response").Member("body"), entry, request, out string reason);
        if (unpriced > 0)
        {
            long ofAnswer = !isAnswered || priced is not null ? 0 : isCorrected ? WithCorrection - 1 : 1;
            long sends = WorstCases(unpriced, worst, isCorrected) + ofAnswer;
            return (isAnswered ? priced ?? 0 : 0) + WorstCase(costs, entry, request, sends, reason);
        }

        if (isPaid)
        {
            worst += priced is not null ? (isCorrected ? 1 : 0) : isCorrected ? WithCorrection : 1;
        }

        decimal answer = priced ?? 0;
        decimal stated = entry.Cost ?? 0;
        if (worst == 0 || (request is null && stated > answer))
        {
            return Math.Max(0, answer - stated); // a cost above that of the usage covers the other sends: there was a budget
        }

        return Math.Max(0, answer + WorstCase(costs, entry, request, worst, reason) - stated);
    }

    // As many as the sends that a record says its cost leaves out: those that failed may have been of the correction.
    private static long WorstCases(long unpriced, long maybeBilled, bool isCorrected)
    {
        long rejected = Math.Max(0, unpriced - maybeBilled);
        return ((unpriced - rejected) * (isCorrected ? WithCorrection - 1 : 1)) + (rejected > 1 ? rejected + 1 : rejected);
    }

    private decimal WorstCase(CostMeter costs, in OutputEntry entry, LlmRequest? request, long sends, string reason)
    {
        decimal bound = 0;
        LlmException? refusal = request is null ? null : costs.Bound(request, out bound);
        if (request is null || refusal is not null)
        {
            ReplacedWorstCases += hasBudget ? 0 : sends;
            AddUnknown(entry.CustomId, refusal?.Message ?? reason);
            return 0;
        }

        return sends * bound;
    }

    private static decimal? PricedUsage(
        CostMeter costs, JsonElement body, in OutputEntry entry, LlmRequest? request, out string reason)
    {
        reason = "its row is not in the input any more, or has another request now, so that its worst case is not known";
        if (!entry.Succeeded || body.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        try
        {
            var response = LlmResponse.FromBody(body.RawBytes().ToArray());
            string? model = request?.Model ?? body.Text("model");
            if (costs.CostOf(response.Usage, model, response.RawBody.Span) is { } cost)
            {
                return cost;
            }

            reason = response.Usage is { IsPlausible: true } ? $"the model \"{model}\" has no known price (Prices, --prices)" : reason;
        }
        catch (JsonException)
        {
            // Nested more deeply than an answer of the engine.
        }

        return null;
    }

    private void AddUnknown(string id, string reason)
    {
        if (hasBudget && _unknownCount++ < ShownUnknown)
        {
            _unknown.Add($"\"{SingleLine.Of(id)}\": {SingleLine.Of(reason)}");
        }
    }

    private void RefuseUnknown(string log)
    {
        if (_unknownCount > 0)
        {
            CultureInfo culture = CultureInfo.InvariantCulture;
            long left = _unknownCount - _unknown.Count;
            string[] more = left > 0 ? [string.Create(culture, $"… and {left:N0} more")] : [];
            throw new InvalidDataException(string.Join(
                Environment.NewLine,
                [
                    string.Create(culture, $"The budget covers all runs of {log}, but the cost of {_unknownCount:N0} of its records ")
                        + "is neither stated nor bounded; nothing was sent.",
                    .. _unknown,
                    .. more,
                    "Give the prices, put the rows back into the input, or add what they cost as \"cost\" to \"fastllm\" in their records. "
                        + "Or name another output (-o), or run without a budget.",
                ]));
        }
    }
}
