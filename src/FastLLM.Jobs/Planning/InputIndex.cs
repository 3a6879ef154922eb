using System.Globalization;
using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Input;
using FastLLM.Jobs.Tables;

namespace FastLLM.Jobs.Planning;

/// <summary>Knows the rows of an input by their places. A file is indexed as a whole before the first send, a pipe while its rows are
/// sent.</summary>
/// <param name="input">The input.</param>
/// <param name="columns">Collects the columns of the rows; <see langword="null"/> if the output needs none.</param>
internal sealed class InputIndex(JobInput input, ColumnNames? columns)
{
    private const string Repeated = "'";
    private const int MaxRepeats = 100;

    /// <summary>Gets the keys and records of the rows.</summary>
    public RowIndex Rows { get; } = new();

    /// <summary>Gets where the answers of equal rows are recorded.</summary>
    public AnswerIndex Answers { get; } = new(input.IsPipe);

    /// <summary>Gets the number of rows that the job processes, counting each sample.</summary>
    public long Count { get; private set; }

    /// <summary>Gets a value indicating whether rows are known only once they have been read.</summary>
    public bool IsPipe => input.IsPipe;

    /// <summary>Indexes and checks a file.</summary>
    /// <param name="check">Collects the errors.</param>
    /// <param name="see">Is called for each row.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="InvalidDataException">The input cannot be read, or no row has a column that the template names.</exception>
    public async Task ReadAsync(InputCheck check, Action<JobRow>? see, CancellationToken cancellationToken)
    {
        HashSet<ulong> duplicates = [];
        await foreach (JobRow row in input.ReadAsync(reusesRows: true, line => check.See(line), cancellationToken).ConfigureAwait(false))
        {
            columns?.See(row.Source.Columns);
            see?.Invoke(row);
            Count += row.IsWithinLimit ? 1 : 0;
            if (!Add(row).IsRepeated)
            {
                continue;
            }

            duplicates.Add(RowIndex.Fingerprint(row.Id));
            if (IsPipe)
            {
                check.AddError(row.Source.Line, DuplicateId(row.Id)); // a pipe cannot be read again to find the first line
            }
        }

        columns?.See(input.Header);
        ThrowIfTemplateIsWrong();
        if (duplicates.Count > 0 && !IsPipe)
        {
            await input.FindDuplicatesAsync(duplicates, check, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads the rows again, each with its place and what is to be done with it. Rows of a pipe are indexed here.</summary>
    /// <param name="resume">The records of earlier runs.</param>
    /// <param name="reusesRows">Whether a row is valid only until the next one is read.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="InvalidDataException">The input cannot be read, or has changed since it was indexed.</exception>
    public async IAsyncEnumerable<PlannedRow> ReadAsync(
        ResumeState resume, bool reusesRows, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = 0;
        await foreach (JobRow row in input.ReadAsync(reusesRows, see: null, cancellationToken).ConfigureAwait(false))
        {
            if (IsPipe && !row.IsWithinLimit)
            {
                yield break;
            }

            (int place, string id, bool isRepeated) = IsPipe ? AddFromPipe(row, resume) : Find(next++, row);
            string? error = isRepeated && row.Request is not null ? DuplicateId(row.Id) : row.Source.Error;
            LlmRequest? request = isRepeated ? null : row.Request;
            yield return new PlannedRow(place, id, row.Source.Metadata, request, error, Rows.RecordOf(place), row.IsWithinLimit);
        }

        if (IsPipe)
        {
            columns?.See(input.Header);
        }
    }

    /// <summary>Reads the rows again that have no record yet and are within the limit.</summary>
    /// <inheritdoc cref="ReadAsync(ResumeState, bool, CancellationToken)"/>
    public async IAsyncEnumerable<PlannedRow> ReadPendingAsync(
        ResumeState resume, bool reusesRows, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (PlannedRow row in ReadAsync(resume, reusesRows, cancellationToken).ConfigureAwait(false))
        {
            if (!row.IsWithinLimit)
            {
                yield break;
            }

            if (!row.IsKept)
            {
                yield return row;
            }
        }
    }

    /// <summary>Reads the columns of the rows again, each with the row's id and place. The records of a pipe's rows carry both.</summary>
    public async IAsyncEnumerable<(RowColumns Columns, string Id, int Place)> ReadColumnsAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = 0;
        for (; IsPipe && next < Rows.Count; next++)
        {
            yield return (default, "", next);
        }

        if (IsPipe)
        {
            yield break;
        }

        // A kept record may carry the columns that the input had then.
        await foreach (JobRow row in input.ReadAsync(reusesRows: true, see: null, cancellationToken).ConfigureAwait(false))
        {
            (int place, string id, _) = Find(next++, row);
            yield return (row.Source.Columns, id, place);
        }
    }

    /// <summary>Throws if no row has a column that the template names.</summary>
    /// <exception cref="InvalidDataException">So it is.</exception>
    public void ThrowIfTemplateIsWrong()
    {
        if (input.TemplateFault is { } fault)
        {
            throw new InvalidDataException($"{input.Name}: {SingleLine.Of(fault)}");
        }
    }

    private static string DuplicateId(string id) => $"custom_id \"{id}\" stands already in an earlier line; ids must be unique.";

    private (int Place, string Id, bool IsRepeated) AddFromPipe(in JobRow row, ResumeState resume)
    {
        (int Place, string Id, bool IsRepeated) added = Add(row);
        Count++;
        columns?.See(row.Source.Columns);
        resume.Meet(added.Place);
        return added;
    }

    // Every row has a place, in input order. A row whose id is taken gets another id, which only its failure bears.
    private (int Place, string Id, bool IsRepeated) Add(in JobRow row)
    {
        int place = Rows.Add(RowIndex.Fingerprint(row.Id), row.Key);
        if (place >= 0)
        {
            return (place, row.Id, false);
        }

        string id = RepeatedId(row);
        while ((place = Rows.Add(RowIndex.Fingerprint(id), RowIndex.NoKey)) < 0)
        {
            id += Repeated;
        }

        return (place, id, true);
    }

    private (int Place, string Id, bool IsRepeated) Find(int place, in JobRow row)
    {
        if (place < Rows.Count)
        {
            ulong known = Rows.IdOf(place);
            if (known == RowIndex.Fingerprint(row.Id) && (Rows.KeyOf(place) == row.Key || Rows.KeyOf(place) == RowIndex.NoKey))
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

        throw new InvalidDataException($"{input.Name} has changed since it was checked. Run the job again.");
    }

    private static string RepeatedId(in JobRow row) => string.Create(CultureInfo.InvariantCulture, $"{row.Id} (line {row.Source.Line})");
}
