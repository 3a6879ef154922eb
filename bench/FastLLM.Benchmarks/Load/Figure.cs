namespace FastLLM.Benchmarks.Load;

/// <summary>One line of the result table.</summary>
/// <param name="Id">Its number in the table of bars, such as S1.</param>
/// <param name="What">What is measured.</param>
/// <param name="Bar">What it must reach.</param>
/// <param name="Goal">What it should reach.</param>
/// <param name="Measured">What it did reach.</param>
internal sealed record Figure(string Id, string What, string Bar, string Goal, string Measured)
{
    /// <summary>Gets a table of its own, in Markdown, where one line is not enough.</summary>
    public string Details { get; init; } = "";
}
