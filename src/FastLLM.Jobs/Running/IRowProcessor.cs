using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;

namespace FastLLM.Jobs.Running;

/// <summary>Gets outcomes for the rows of a job that are not kept, and writes them: <see cref="RowProcessor"/> on this machine, or other
/// machines.</summary>
internal interface IRowProcessor
{
    /// <summary>Processes and writes the rows.</summary>
    /// <inheritdoc cref="Job.RunAsync(JobPlan, CancellationToken, CancellationToken)"/>
    Task<JobResult> RunAsync(CancellationToken drain, CancellationToken cancellationToken);
}

/// <summary>Creates what processes the rows of a job.</summary>
/// <param name="setup">The job.</param>
/// <param name="resume">The records of earlier runs.</param>
/// <param name="sink">Where records are written.</param>
/// <param name="costs">The costs of the job.</param>
internal delegate IRowProcessor NewRowProcessor(JobSetup setup, ResumeState resume, RowSink sink, CostAccount costs);
