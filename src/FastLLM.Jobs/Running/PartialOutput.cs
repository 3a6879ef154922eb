using FastLLM.Jobs.Answers;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Jobs.Tables;

namespace FastLLM.Jobs.Running;

/// <summary>Makes the output of a job from what its log holds so far. Sends nothing, and changes no log.</summary>
/// <remarks>Takes no lock, so that it can be used while a run writes the log. The output may become complete meanwhile; then it is made
/// once more, so that a partial output never replaces a complete one for good.</remarks>
internal sealed class PartialOutput(JobSetup setup)
{
    /// <summary>Makes the output.</summary>
    /// <exception cref="IOException">There is no log, or the output cannot be written.</exception>
    public async Task<JobResult> WriteAsync(CancellationToken cancellationToken)
    {
        string log = setup.Shape.Log;
        if (!File.Exists(log))
        {
            throw new IOException($"{log} does not exist: no run has answered a row yet. Run the job without --partial first.");
        }

        OutputScan.RefuseOther(log);
        await setup.ReadInputAsync(cancellationToken).ConfigureAwait(false);
        JobResult result = Read();
        if (setup.Shape.IsLog)
        {
            return result;
        }

        OutputPath.Check(setup.Shape.Path);
        TableExport export;
        JobResult before;
        do
        {
            before = result;
            export = setup.NewExport();
            await export.WriteAsync(".partial" + OutputPath.Unfinished, cancellationToken).ConfigureAwait(false);
            result = Read();
        }
        while (result.Pending == 0 && before.Pending > 0);
        foreach (string notice in export.Notices)
        {
            setup.Options.OnNotice?.Invoke(notice);
        }

        return before with { OutputFile = setup.Options.Output };
    }

    private JobResult Read()
    {
        ResumeState resume = setup.NewResumeState(keepsAll: true);
        resume.Read(setup.Shape.Log);
        using var journal = new CostJournal(setup.Shape.Log);
        journal.Read();
        return new JobResult
        {
            Rows = setup.Index.Count,
            Kept = resume.Kept,
            Failed = resume.KeptFailures,
            Pending = setup.Index.Count - resume.Kept,
            Equal = setup.Equal,
            JobCost = resume.Cost + journal.Unrecorded,
            OutputFile = setup.Shape.Log,
            IsPartial = resume.Kept < setup.Index.Count,
            Distribution = setup.Options.Answers is { } form ? OutputTally.Of(form, setup.Shape.Log, setup.Index.Rows) : null,
        };
    }
}
