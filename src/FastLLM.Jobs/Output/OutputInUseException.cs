namespace FastLLM.Jobs.Output;

/// <summary>The exception that is thrown if another run is writing the output.</summary>
internal sealed class OutputInUseException : IOException
{
    public OutputInUseException(string path, Exception? innerException = null)
        : base($"Another run is writing {path}. Wait until it has ended, or name another file.", innerException)
    {
    }
}
