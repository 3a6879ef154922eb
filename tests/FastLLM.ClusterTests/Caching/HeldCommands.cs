using FastLLM.Cluster.Caching;
using FastLLM.TestKit;

namespace FastLLM.ClusterTests.Caching;

/// <summary>Holds commands that the database has executed, until they are released.</summary>
internal sealed class HeldCommands : ICommandFaults
{
    private readonly TaskCompletionSource _released = new();

    /// <summary>How many commands were executed.</summary>
    public Gauge Executed { get; } = new();

    public void Release() => _released.SetResult();

    public Task BeforeAsync() => Task.CompletedTask;

    public Task AfterAsync()
    {
        Executed.Add(1);
        return _released.Task;
    }
}
