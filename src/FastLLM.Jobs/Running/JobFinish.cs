using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Pipeline;

namespace FastLLM.Jobs.Running;

/// <summary>Reads an output back at the end of a run: no run is done before every row was found in it.</summary>
/// <remarks>Lost rows are written again from the cache, without a send. Rows that the cache does not hold stay pending: the run reports
/// them and can be resumed.</remarks>
internal sealed class JobFinish(JobSetup setup, OutputFile output, ResumeState resume)
{
    private const int MaxTries = 3;

    private OutputReadBack? _found;

    /// <summary>Gets what the records cost that are left in the output; <see langword="null"/> if it was not read back: all are
    /// left.</summary>
    /// <param name="isSorted">Whether the sort has dropped the records that belong to no row.</param>
    public decimal? StatedCost(bool isSorted) => _found is null ? null : _found.Cost + (isSorted ? 0 : _found.OtherCost);

    /// <summary>Reads the output back and mends it.</summary>
    /// <param name="result">The result so far.</param>
    /// <param name="isDone">Whether all rows should have an outcome.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    /// <returns>The result, and why it is not the one of a whole output; <see langword="null"/> if it is whole.</returns>
    /// <exception cref="IOException">The output cannot be read, or not be put back in its place.</exception>
    public async Task<(JobResult Result, string? Fault)> ReadBackAsync(JobResult result, bool isDone, CancellationToken cancellationToken)
    {
        RowIndex rows = setup.Index.Rows;
        output.Settle();
        if ((!isDone && !output.IsDisturbed) || resume.HasReadAllOf(output.Path))
        {
            return (result, null);
        }

        OutputReadBack found = ReadBack();
        for (var tries = 0; tries < MaxTries && found.Lost.Count > 0; tries++)
        {
            if (await WriteAgainAsync([.. found.Lost], cancellationToken).ConfigureAwait(false) is 0)
            {
                break;
            }

            found = ReadBack();
        }

        long missing = setup.Index.Count - found.Succeeded - found.Failed;
        if (found.Lost.Count == 0 && (!isDone || missing == 0))
        {
            KeepDropped(found, isDone);
            return (result, null);
        }

        Forget(found.Lost);
        result = Recount(result, found.Succeeded, found.Failed);
        result = result with { Failed = result.Failed + resume.OldFailures };
        long lost = Math.Max(found.Lost.Count, isDone ? missing : 0);
        string what = FormattableString.Invariant($"{lost:N0} rows of {setup.Shape.Log} are lost");
        string why = setup.IsPipe ? "the rows of a pipe cannot be read again" : "the cache does not hold them";
        return (result, $"{what}: something else changed the file during the run, and {why}.");

        OutputReadBack ReadBack() => _found = OutputReadBack.Of(output.Settle(), rows, setup.Index.Count);
    }

    /// <summary>Returns the result with the counts of what is left in the output.</summary>
    /// <param name="result">The result so far.</param>
    /// <param name="succeeded">The number of rows that have an answer there.</param>
    /// <param name="failed">The number of rows that have a failure there.</param>
    public JobResult Recount(JobResult result, long succeeded, long failed)
    {
        long kept = Math.Min(result.Kept, succeeded + failed);
        long answered = Math.Max(0, succeeded - Math.Max(0, kept - resume.KeptFailures));
        long newlyFailed = Math.Max(0, failed - resume.KeptFailures);
        TokenStats stats = result.Stats;
        long cached = Math.Min(stats.CacheHits, answered);
        return result with
        {
            Kept = kept,
            Answered = answered,
            Failed = failed,
            Pending = setup.Index.Count - succeeded - failed,
            Stats = stats with
            {
                RequestsCompleted = answered + newlyFailed,
                Failed = newlyFailed,
                CacheHits = cached,
                Shared = Math.Min(stats.Shared, answered - cached),
            },
        };
    }

    // The rows of a pipe cannot be read again.
    private async Task<int> WriteAgainAsync(HashSet<int> lost, CancellationToken cancellationToken)
    {
        if (setup.IsPipe || setup.Manager.Answers is not { } answers)
        {
            return 0;
        }

        Forget(lost);
        var written = 0;
        OutputRecord record = setup.NewRecord(limitedBy: null);
        await foreach (PlannedRow row in setup.Index.ReadAsync(resume, reusesRows: true, cancellationToken).ConfigureAwait(false))
        {
            if (!lost.Contains(row.Place))
            {
                continue;
            }

            ReadOnlyMemory<byte> line = default;
            if (row.Request is null)
            {
                line = record.WriteInvalid(row.Id, row.Error!, row.Metadata.Span);
            }
            else if (await answers.GetAsync(row.Request, setup.Options.Answers?.Check, cancellationToken).ConfigureAwait(false)
                is ({ IsFound: true, Response: { } answer }, null))
            {
                var outcome = new ResponseWrapper<LlmResponse>(answer, row.Request.Key, row.Place, usage: null) { IsCacheHit = true };
                line = record.Write(row.Id, outcome, row.Metadata.Span);
            }

            if (!line.IsEmpty)
            {
                setup.Index.Rows.SetRecord(row.Place, output.Append(line.Span));
                written++;
            }
        }

        if (written > 0)
        {
            setup.Warn($"{written:N0} rows that {setup.Shape.Log} had lost were written again from the cache.");
        }

        return written;
    }

    // A table of what is left has no place for them.
    private void Forget(IEnumerable<int> lost)
    {
        foreach (int row in lost)
        {
            setup.Index.Rows.SetRecord(row, RowIndex.NoRecord);
        }
    }

    private void KeepDropped(OutputReadBack found, bool isDone)
    {
        if (!isDone || found.Dropped.Records == 0 || !setup.IsSorted)
        {
            return;
        }

        string kept = found.KeepDropped(output.Settle()!, output.Path);
        (long records, long answers) = found.Dropped;
        (answers > 0 ? (Action<FormattableString>)setup.Warn : setup.Say)(
            $"{records:N0} records ({answers:N0} answers) of {setup.Shape.Log} belong to no row or were replaced; they are in {kept} now.");
    }
}
