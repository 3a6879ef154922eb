namespace FastLLM.Jobs.Output;

/// <summary>Another run writes this OUTPUT.</summary>
internal sealed class OutputInUseException : IOException
{
    public OutputInUseException(string path, Exception innerException)
        : base($"Another run is writing {path}. Wait until it has ended, or name another file.", innerException)
    {
    }
}
