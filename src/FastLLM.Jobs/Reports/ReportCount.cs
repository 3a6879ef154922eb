namespace FastLLM;

/// <summary>How many rows have something in common.</summary>
/// <param name="Name">What it is: a failure's kind, a reason to end, a model. Taken from the file, at most 80 characters.</param>
/// <param name="Count">How many rows.</param>
/// <param name="Example">For failures, the message of the first such row; else empty.</param>
public sealed record ReportCount(string Name, long Count, string Example);
