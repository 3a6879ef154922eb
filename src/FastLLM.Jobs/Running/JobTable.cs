using FastLLM.Diagnostics;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Jobs.Tables;

namespace FastLLM.Jobs.Running;

/// <summary>Makes the table of a job from its log, and makes sure that it is there when the job ends.</summary>
internal sealed class JobTable(JobSetup setup)
{
    private readonly JobOptions _options = setup.Options;
    private TableExport? _written;

    /// <summary>Gets the table as it was written last; <see langword="null"/> if it was not.</summary>
    public (string Path, FileStatus Status)? Finished => _written?.Finished;

    /// <summary>Makes the table. Of a run that did not end, it holds what is answered, in this run or before. It is not worth more: its
    /// faults are only reported.</summary>
    public async Task<JobResult> ExportAsync(JobResult result, CancellationToken cancellationToken)
    {
        bool isDone = result.IsDone;
        if (!isDone && (result.Pending == result.Rows || _options.MaxSends is not null))
        {
            return result;
        }

        try
        {
            long lacking = isDone ? 0 : result.Pending - TakeEarlier(result, cancellationToken);
            foreach (string notice in await WriteAsync(cancellationToken).ConfigureAwait(false))
            {
                _options.OnNotice?.Invoke(notice);
            }

            return result with { OutputFile = _options.Output, IsPartial = lacking > 0 };
        }
        catch (Exception e) when (IsFault(e))
        {
            string held = isDone ? "every outcome" : "the outcomes so far";
            string message = $"{setup.Shape.Log} holds {held}, but {_options.Output} cannot be made from it: {FileFault.Describe(e)}";
            if (isDone)
            {
                return result.StoppedByOutput(message, e);
            }

            setup.Warn($"{message}");
            return result;
        }
        catch (OperationCanceledException)
        {
            setup.Say(
                $"{_options.Output} was not written. The outcomes so far are in {setup.Shape.Log}; --partial makes the output from it.");
            return result with { Interrupted = true };
        }
    }

    /// <summary>Makes the table of a job that is done once more if something else has deleted, cut or replaced it since.</summary>
    /// <param name="result">The result so far.</param>
    /// <param name="isSorted">Whether the log was sorted since.</param>
    /// <param name="cancellationToken">Cancels the export.</param>
    public async Task<JobResult> KeepAsync(JobResult result, bool isSorted, CancellationToken cancellationToken)
    {
        if (!result.IsDone || _written is not { IsInPlace: false })
        {
            return result;
        }

        Exception? fault = null;
        try
        {
            if (isSorted)
            {
                FindRecords();
            }

            await WriteAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (IsFault(e))
        {
            fault = e;
        }
        catch (OperationCanceledException)
        {
            return result with { Interrupted = true };
        }

        if (fault is null && _written.IsInPlace)
        {
            setup.Warn($"Something else changed {_options.Output} while the job ended. It was written again.");
            return result;
        }

        string why = fault is null ? "" : $" It cannot be written again: {FileFault.Describe(fault)}";
        string changed = $"Something else changed {_options.Output} while the job ended.{why}";
        return result.StoppedByOutput($"{changed} {setup.Shape.Log} holds every outcome: run it again, and nothing is sent.", fault);
    }

    // Rows that are sent again, but have no new outcome yet, still have their earlier one in the log.
    private long TakeEarlier(JobResult result, CancellationToken cancellationToken)
    {
        if (setup.IsPipe || !setup.SendsAgain)
        {
            return 0;
        }

        cancellationToken.ThrowIfCancellationRequested();
        ResumeState all = setup.NewResumeState(keepsAll: true);
        all.Read(setup.Shape.Log);
        long earlier = Math.Max(0, all.Kept - (result.Rows - result.Pending));
        if (earlier > 0)
        {
            setup.Say($"{earlier:N0} rows of {_options.Output} that are to be sent again hold their earlier outcome.");
        }

        return earlier;
    }

    private async Task<IReadOnlyList<string>> WriteAsync(CancellationToken cancellationToken)
    {
        TableExport export = setup.NewExport();
        await export.WriteAsync(OutputPath.Unfinished, cancellationToken).ConfigureAwait(false);
        _written = export;
        return export.Notices;
    }

    // The sorted log has the records of the rows in their order, and nothing else. The export refuses a record that is not the row's.
    private void FindRecords()
    {
        RowIndex rows = setup.Index.Rows;
        var row = 0;
        foreach (OutputEntry entry in OutputScan.Read(setup.Shape.Log))
        {
            while (row < rows.Count && rows.RecordOf(row) == RowIndex.NoRecord)
            {
                row++;
            }

            if (row == rows.Count)
            {
                return;
            }

            rows.SetRecord(row++, entry.Offset, isFailure: !entry.Succeeded);
        }
    }

    private static bool IsFault(Exception e) => e is IOException or UnauthorizedAccessException or InvalidDataException;
}
