namespace FastLLM.TestKit;

/// <summary>A folder for one test, gone when the test is over.</summary>
public sealed class TemporaryFolder : IDisposable
{
    /// <summary>Makes the folder.</summary>
    public TemporaryFolder()
    {
        Path = Directory.CreateTempSubdirectory("fastllm-test-").FullName;
    }

    /// <summary>Gets the folder.</summary>
    public string Path { get; }

    /// <summary>Gets the path of something in it.</summary>
    /// <param name="name">Its name.</param>
    public string In(string name) => System.IO.Path.Combine(Path, name);

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
