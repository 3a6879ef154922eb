namespace FastLLM.Benchmarks.Candidates;

/// <summary>A way to have a workload answered.</summary>
internal interface ICandidate
{
    string Name { get; }

    /// <summary>Gets ready what is not to be measured.</summary>
    /// <returns>
    /// What is measured: it makes a client of its own, has everything answered, keeps all answers until the last is there, and
    /// returns how many there are.
    /// </returns>
    Func<Task<int>> Prepare(string apiBase, Workload workload, int inFlight);
}
