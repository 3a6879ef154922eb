namespace FastLLM.Jobs.Input;

/// <summary>Represents a row of the input, or one of its samples, and its key's fingerprint. An invalid line has no request.</summary>
internal readonly record struct JobRow(string Id, InputRow Source, LlmRequest? Request, ulong Key, bool IsWithinLimit);
