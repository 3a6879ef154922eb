namespace FastLLM.Jobs.Input;

/// <summary>One row of a job: a row of the input, or one of its samples.</summary>
/// <param name="Id">The row's id. For an invalid line without an id of its own, a name that stands for it.</param>
/// <param name="Source">The row of the input.</param>
/// <param name="Request">The request; <see langword="null"/> for an invalid line.</param>
/// <param name="Key">The fingerprint of the request's key.</param>
/// <param name="IsWithinLimit">Whether the job processes the row (<see cref="JobOptions.Limit"/>).</param>
internal readonly record struct JobRow(string Id, InputRow Source, LlmRequest? Request, ulong Key, bool IsWithinLimit);
