namespace FastLLM.TestKit;

/// <summary>Waits for what other processes write.</summary>
public static class FileSignal
{
    /// <summary>Completes when a condition on a folder's files holds, or when the writer has ended. The condition is checked now and after each change in the folder.</summary>
    public static async Task WaitAsync(string folder, Func<bool> condition, Task writer)
    {
        var met = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var watcher = new FileSystemWatcher(folder) { NotifyFilter = NotifyFilters.FileName | NotifyFilters.Size | NotifyFilters.LastWrite };
        watcher.Created += (_, _) => Check();
        watcher.Changed += (_, _) => Check();
        watcher.Renamed += (_, _) => Check();
        watcher.EnableRaisingEvents = true;
        Check();
        await Task.WhenAny(met.Task, writer);

        void Check()
        {
            if (condition())
            {
                met.TrySetResult();
            }
        }
    }
}
