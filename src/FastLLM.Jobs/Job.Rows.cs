using System.Globalization;
using System.Runtime.CompilerServices;
using FastLLM.Costs;
using FastLLM.Jobs.Input;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Tables;
using FastLLM.Requests;

namespace FastLLM;

// Where rows come from: the input, read once to check it and to know its rows, and once more to send them.
public sealed partial class Job
{
    private const string Repeated = "'";
    private const int MaxRepeats = 100;
    private const long LargeBody = 16L << 20;

    private long _rows;
    private long _equal;

    private static InputReader Open(JobOptions options)
    {
        InputFormat format = options.Input == Pipe ? options.InputFormat : InputSource.ByName(options.Input, options.InputFormat);
        string folder = options.Input == Pipe ? "." : Path.GetDirectoryName(Path.GetFullPath(options.Input))!;
        RowRequests? template = options.Template is { } rows ? new RowRequests(rows, options.Model, folder) : null;
        return new InputReader(OpenInput(options.Input), format, options.Model, template) { OwnsStream = options.Input != Pipe };
    }

    // What is wrong with an input as a whole is said with its name.
    private static async ValueTask<InputRow?> NextAsync(InputReader rows, JobOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await rows.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{options.Input}: {e.Message}", e);
        }
    }

    private static Stream OpenInput(string input)
    {
        if (input == Pipe)
        {
            return Console.OpenStandardInput();
        }

        var file = new FileStream(input, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, FileOptions.SequentialScan);
        if (file.CanSeek)
        {
            return file;
        }

        file.Dispose();
        throw new IOException($"{input} can be read only once. Pipe it in instead, and give - as the input.");
    }

    private static async Task<InputCheck> CheckAsync(JobOptions options, RowIndex table, ColumnNames? columns, CancellationToken cancellationToken, Func<AskedRow, ValueTask>? ask = null)
    {
        var check = new InputCheck();
        var repeated = new Dictionary<ulong, long>();
        using InputReader reader = Open(options);
        await foreach (AskedRow row in ReadAsync(options, reader, source => check.See(source), cancellationToken).ConfigureAwait(false))
        {
            columns?.See(row.Source.Metadata.Span);
            check.AskedWithinLimit += row.IsWithinLimit ? 1 : 0;
            if (ask is not null)
            {
                await ask(row).ConfigureAwait(false);
            }

            if (Add(table, row).IsRepeated)
            {
                repeated.TryAdd(RowIndex.Fingerprint(row.Id), 0);
            }
        }

        if (reader.TemplateFault is { } fault)
        {
            throw new InvalidDataException($"{options.Input}: {fault}");
        }

        if (repeated.Count > 0)
        {
            await NameRepeatedAsync(options, repeated, check, cancellationToken).ConfigureAwait(false);
        }

        return check;
    }

    // Every row has a place in the table, in input order. One whose id is taken gets another, which only a failure will bear.
    private static (int Place, string Id, bool IsRepeated) Add(RowIndex table, in AskedRow row)
    {
        int place = table.Add(RowIndex.Fingerprint(row.Id), row.Key);
        if (place >= 0)
        {
            return (place, row.Id, false);
        }

        string id = RepeatedId(row);
        while ((place = table.Add(RowIndex.Fingerprint(id), RowIndex.NoKey)) < 0)
        {
            id += Repeated;
        }

        return (place, id, true);
    }

    private static string RepeatedId(in AskedRow row) => string.Create(CultureInfo.InvariantCulture, $"{row.Id} (line {row.Source.Line})");

    // Ids are not kept while rows are counted: where some are repeated, the input is read once more to name both lines.
    private static async Task NameRepeatedAsync(JobOptions options, Dictionary<ulong, long> firstLines, InputCheck check, CancellationToken cancellationToken)
    {
        using InputReader rows = Open(options);
        while (await NextAsync(rows, options, cancellationToken).ConfigureAwait(false) is { } row)
        {
            if (row.Request is null || !firstLines.TryGetValue(RowIndex.Fingerprint(SampleId(row.Id, 0, options)), out long first))
            {
                continue;
            }

            if (first == 0)
            {
                firstLines[RowIndex.Fingerprint(SampleId(row.Id, 0, options))] = row.Line;
            }
            else
            {
                check.AddError(row.Line, InputMessages.DuplicateId(row.Id, first));
            }
        }
    }

    // One row of the input is one or several that are asked: its samples. Wrong lines are asked nothing, but have an id.
    private static async IAsyncEnumerable<AskedRow> ReadAsync(
        JobOptions options, InputReader rows, Action<InputRow>? seen, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var timesAsked = options.NoDedup ? new Dictionary<ulong, int>() : null;
        var count = 0L;
        while (await NextAsync(rows, options, cancellationToken).ConfigureAwait(false) is { } row)
        {
            seen?.Invoke(row);
            bool withinLimit = options.Limit is not { } limit || count++ < limit;
            if (row.Request is not { } request)
            {
                yield return new AskedRow(row.HasOwnId ? row.Id : WrongLineId(row), row, null, RowIndex.NoKey, withinLimit);
                continue;
            }

            int first = request.Sample;
            if (timesAsked is not null)
            {
                ulong key = RowIndex.Fingerprint(request.Key);
                timesAsked.TryGetValue(key, out int before);
                timesAsked[key] = before + options.Samples;
                first += before;
            }

            for (var k = 0; k < options.Samples; k++)
            {
                LlmRequest sample = request.Sampled(first + k);
                yield return new AskedRow(SampleId(row.Id, k, options), row, sample, RowIndex.Fingerprint(sample.Key), withinLimit);
            }
        }
    }

    // No row that is good has such an id, unless somebody means it.
    private static string WrongLineId(in InputRow row) => string.Create(CultureInfo.InvariantCulture, $"(line {row.Line})");

    private static string SampleId(string id, int k, JobOptions options) =>
        options.Samples == 1 ? id : string.Create(CultureInfo.InvariantCulture, $"{id}#{k}");

    private async Task CheckBeforeSendingAsync(CancellationToken cancellationToken)
    {
        var unbounded = 0L;
        List<string> examples = [];
        Func<AskedRow, ValueTask>? bound = _manager.Options.Budget is null ? null : row =>
        {
            if (row is { IsWithinLimit: true, Request: { } request } && _manager.Costs.Bound(request, out _) is { } why && unbounded++ < NamedUnbounded)
            {
                examples.Add(FormattableString.Invariant($"line {row.Source.Line}: {why.Message}"));
            }

            return default;
        };
        InputCheck check = await CheckAsync(_options, _table, _shape.IsLog ? null : _columns, cancellationToken, bound).ConfigureAwait(false);
        if (check.ErrorCount > 0 && !_options.SkipInvalid)
        {
            throw new BatchFormatException(check.Errors, check.ErrorCount);
        }

        RefuseUnbounded(unbounded, examples);

        _rows = check.AskedWithinLimit;
        _equal = _table.CountEqualKeys();
        if (check.LargestBody > LargeBody)
        {
            // The check's copies of such rows are let go before the sends make theirs: else a row would cost its size four times.
            GC.Collect();
        }

        if (_equal > 0 && !_options.NoDedup)
        {
            Say($"{_equal:N0} of {_table.Count:N0} rows ask what another row asks too, and share its answer. For an answer each: --no-dedup, or --samples N for N answers a row.");
        }
    }

    // The rows that are still to be sent, in input order. Wrong lines become failed rows on the way.
    private async IAsyncEnumerable<LlmRequest> PendingAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = 0;
        using InputReader reader = _piped ?? Open(_options);
        await foreach (AskedRow row in ReadAsync(_options, reader, null, cancellationToken).ConfigureAwait(false))
        {
            if (!row.IsWithinLimit)
            {
                yield break;
            }

            (int place, string id, bool isRepeated) = InputIsPipe ? AddFromPipe(row) : Known(next++, row);
            if (_table.RecordOf(place) != RowIndex.NoRecord)
            {
                continue;
            }

            await _sink.WaitForRoomAsync(cancellationToken).ConfigureAwait(false);
            if (row.Request is null || isRepeated)
            {
                WriteInvalid(place, id, row.Source.Metadata, row.Source.Error ?? $"custom_id \"{row.Id}\" stands already in an earlier line; ids must be unique.");
                continue;
            }

            _inFlight[_sequence++] = new RowInFlight(place, id, row.Source.Metadata);
            yield return row.Request;
        }
    }

    // The place tells the row: the file is read as it was when it was checked, and if it is not, nothing more is sent.
    private (int Place, string Id, bool IsRepeated) Known(int place, in AskedRow row)
    {
        if (place < _table.Count)
        {
            ulong known = _table.IdOf(place);
            if (known == RowIndex.Fingerprint(row.Id) && (_table.KeyOf(place) == row.Key || _table.KeyOf(place) == RowIndex.NoKey))
            {
                return (place, row.Id, false);
            }

            string id = RepeatedId(row);
            for (var tries = 0; tries < MaxRepeats; tries++, id += Repeated)
            {
                if (known == RowIndex.Fingerprint(id))
                {
                    return (place, id, true);
                }
            }
        }

        throw new InvalidDataException($"{_options.Input} has changed since it was checked.");
    }

    private (int Place, string Id, bool IsRepeated) AddFromPipe(in AskedRow row)
    {
        (int Place, string Id, bool IsRepeated) added = Add(_table, row);
        _rows++;
        if (!_shape.IsLog)
        {
            _columns.See(row.Source.Metadata.Span);
        }

        TakeOver(added.Place);
        return added;
    }

    /// <summary>A row as it is asked: a row of the input, or one of its samples.</summary>
    private readonly record struct AskedRow(string Id, InputRow Source, LlmRequest? Request, ulong Key, bool IsWithinLimit);

    /// <summary>What is needed to write a row when its outcome comes.</summary>
    private readonly record struct RowInFlight(int Place, string Id, ReadOnlyMemory<byte> Metadata);
}
