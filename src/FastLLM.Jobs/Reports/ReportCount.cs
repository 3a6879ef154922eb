namespace FastLLM;

/// <summary>Represents the number of rows that share a value.</summary>
/// <param name="Name">The value: a failure kind, a finish reason, a model. Taken from the file, at most 80 characters.</param>
/// <param name="Count">The number of rows.</param>
/// <param name="Example">For failures, the message of the first such row; otherwise empty.</param>
public sealed record ReportCount(string Name, long Count, string Example);
