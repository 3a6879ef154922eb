using FastLLM.RateLimiting;

namespace FastLLM.Cluster.Limits;

/// <summary>Decides reports by <see cref="LimitAllocator"/>, for all workers in one place.</summary>
internal interface ILimitStore
{
    /// <summary>Decides all reports of a worker in one transaction.</summary>
    /// <param name="reports">The reports.</param>
    /// <param name="leaves">Whether the members leave.</param>
    /// <param name="cancellationToken">Cancels the transaction.</param>
    /// <returns>The grants, in the order of the reports.</returns>
    Task<IReadOnlyList<ModelGrant>> ReportAsync(
        IReadOnlyList<MemberReport> reports, bool leaves, CancellationToken cancellationToken);
}

/// <summary>Represents the report of a member.</summary>
/// <param name="Endpoint">Where it sends, and for which account.</param>
/// <param name="Member">Its name, which no other process ever has.</param>
/// <param name="Report">The report about one model.</param>
internal sealed record MemberReport(string Endpoint, string Member, ModelReport Report);
