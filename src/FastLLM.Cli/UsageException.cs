namespace FastLLM.Cli;

/// <summary>The command cannot be carried out as it was given. Nothing was sent; the message says what to do, and the exit code is 2.</summary>
internal sealed class UsageException(string message, Exception? innerException = null) : Exception(message, innerException);
