using System.Globalization;
using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Planning;
using FastLLM.Jobs.Tables;
using FastLLM.Requests;

namespace FastLLM.Jobs.Input;

/// <summary>Reads the input of a job as rows with their ids and samples. A file can be read any number of times, a pipe once.</summary>
internal sealed class JobInput
{
    private readonly JobOptions _options;
    private readonly InputFormat _format;
    private readonly RowRequests? _template;
    private InputReader? _opened;
    private RowSample? _sample;
    private byte[]? _spare;
    private bool _isSeen;

    /// <summary>Reads the options; opens nothing.</summary>
    /// <exception cref="ArgumentException">The template is wrong.</exception>
    public JobInput(JobOptions options)
    {
        _options = options;
        _format = IsPipe ? options.InputFormat : InputSource.ByName(options.Input, options.InputFormat);
        string folder = IsPipe ? "." : Path.GetDirectoryName(Path.GetFullPath(options.Input))!;
        _template = options.Template is { } template ? new RowRequests(template, options.Model, folder, options.Answers) : null;
    }

    /// <summary>Gets the name of the input, for messages.</summary>
    public string Name => _options.Input;

    /// <summary>Gets a value indicating whether the input is standard input.</summary>
    public bool IsPipe => _options.Input == Job.Pipe;

    /// <summary>Gets the error of the template that the last complete read found: a column that no row has.</summary>
    public string? TemplateFault { get; private set; }

    /// <summary>Gets a note on the template that the last complete read found: columns in single braces.</summary>
    public string? TemplateNote { get; private set; }

    /// <summary>Gets the form of the input that an output of the same kind keeps.</summary>
    public TableForm Form { get; private set; } = new();

    /// <summary>Gets the columns that a table's first line names, known after a complete read; none without a table.</summary>
    public IReadOnlyList<string> Header { get; private set; } = [];

    /// <summary>Opens a pipe and waits for its first bytes, unless it is open.</summary>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        _opened ??= Open(reusesRows: false);

        // A read from the console does not end with its token: the wait does.
        await _opened.OpenAsync(cancellationToken).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        See(_opened);
    }

    /// <summary>Reads the rows, one for each sample. An invalid line is one row without a request.</summary>
    /// <param name="reusesRows">Whether a row is valid only until the next one is read.</param>
    /// <param name="see">Is called once for each line, before its rows.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="InvalidDataException">The input cannot be read any further.</exception>
    public async IAsyncEnumerable<JobRow> ReadAsync(
        bool reusesRows, Action<InputRow>? see, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Dictionary<ulong, int>? samplesOfKey = _options.NoDedup ? [] : null;
        var count = 0L;
        RowSample? chosen = _options.RandomRows is { } size
            ? _sample ??= await SampleAsync(size, cancellationToken).ConfigureAwait(false) : null;
        using InputReader reader = Interlocked.Exchange(ref _opened, null) ?? Open(reusesRows);
        while (await NextAsync(reader, cancellationToken).ConfigureAwait(false) is { } row)
        {
            See(reader);
            if (chosen?.Contains(row.Line) == false)
            {
                continue;
            }

            see?.Invoke(row);
            bool withinLimit = _options.Limit is not { } limit || count++ < limit;
            if (row.Request is not { } request)
            {
                yield return new JobRow(row.HasOwnId ? row.Id : InvalidLineId(row.Line), row, null, RowIndex.NoKey, withinLimit);
                continue;
            }

            int first = request.Sample;
            if (samplesOfKey is not null)
            {
                ulong key = RowIndex.Fingerprint(request.Key);
                samplesOfKey.TryGetValue(key, out int before);
                samplesOfKey[key] = before + _options.Samples;
                first += before;
            }

            for (var k = 0; k < _options.Samples; k++)
            {
                LlmRequest sample = request.Sampled(first + k);
                yield return new JobRow(SampleId(row.Id, k), row, sample, RowIndex.Fingerprint(sample.Key), withinLimit);
            }
        }

        TemplateFault = reader.TemplateFault;
        TemplateNote = reader.TemplateNote;
        Header = reader.Header;
        _spare = reader.Spare;
    }

    /// <summary>Adds an error for each line whose id an earlier line has. Ids are not kept, so the input is read once more.</summary>
    /// <param name="ids">The fingerprints of the ids that occur twice.</param>
    /// <param name="check">Where the errors go.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    public async Task FindDuplicatesAsync(IReadOnlySet<ulong> ids, InputCheck check, CancellationToken cancellationToken)
    {
        var firstLines = new Dictionary<ulong, long>();
        using InputReader reader = Open(reusesRows: true);
        while (await NextAsync(reader, cancellationToken).ConfigureAwait(false) is { } row)
        {
            ulong id = RowIndex.Fingerprint(SampleId(row.Id, 0));
            if (row.Request is not null && ids.Contains(id) && !firstLines.TryAdd(id, row.Line))
            {
                check.AddError(row.Line, InputMessages.DuplicateId(row.Id, firstLines[id]));
            }
        }
    }

    private async Task<RowSample> SampleAsync(int size, CancellationToken cancellationToken)
    {
        var sample = new RowSample(size, _options.RandomSeed);
        using InputReader reader = Open(reusesRows: true);
        while (await NextAsync(reader, cancellationToken).ConfigureAwait(false) is { } row)
        {
            sample.Add(row.Line);
        }

        return sample;
    }

    // No valid row has such an id, unless its author wanted it.
    private static string InvalidLineId(long line) => string.Create(CultureInfo.InvariantCulture, $"(line {line})");

    private string SampleId(string id, int k) => _options.Samples == 1 ? id : string.Create(CultureInfo.InvariantCulture, $"{id}#{k}");

    private InputReader Open(bool reusesRows) => new(OpenStream(), _format, _options.Model, _template)
    {
        OwnsStream = !IsPipe,
        ReusesRows = reusesRows,
        Spare = Interlocked.Exchange(ref _spare, null),
        Sheet = _options.Sheet,
    };

    private void See(InputReader reader)
    {
        if (_isSeen)
        {
            return;
        }

        (_isSeen, Form) = (true, reader.Form);
        if (reader.Notice is { } notice)
        {
            _options.OnNotice?.Invoke($"{SingleLine.Of(Name)}: {notice}");
        }
    }

    private Stream OpenStream()
    {
        if (IsPipe)
        {
            return Console.OpenStandardInput();
        }

        // A named pipe without a writer would not even open.
        if (FileStatus.OfTarget(Name) is not { IsRegular: false, IsFolder: false })
        {
            var file = new FileStream(Name, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, FileOptions.SequentialScan);
            if (file.CanSeek)
            {
                return file;
            }

            file.Dispose();
        }

        throw new IOException($"{Name} can be read only once. Pipe it in instead, with - as the input.");
    }

    private async ValueTask<InputRow?> NextAsync(InputReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{Name}: {SingleLine.Of(e.Message)}", e);
        }
    }
}
