using System.Diagnostics;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>A process of <c>fastllm worker</c>. It is killed when this is disposed.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private readonly Process _process;

    private WorkerProcess(Process process, string id) => (_process, Id) = (process, id);

    /// <summary>Gets its ID.</summary>
    public string Id { get; }

    /// <summary>Gets its CPU time so far.</summary>
    public TimeSpan Cpu
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Gets the peak of its resident memory so far.</summary>
    public double PeakMegabytes => ProcessRun.PeakMegabytesOf(_process);

    /// <summary>Starts a worker, and waits until it is ready.</summary>
    public static async Task<WorkerProcess> StartAsync()
    {
        Process process = Process.Start(new ProcessStartInfo(Tool.Built, ["worker"]) { RedirectStandardError = true })!;
        string? ready = await process.StandardError.ReadLineAsync();
        if (ready?.Split(' ') is not ["Worker", var id, ..])
        {
            throw new InvalidOperationException($"The worker did not start: {ready} {await process.StandardError.ReadToEndAsync()}");
        }

        _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null); // nobody waits for its messages
        return new WorkerProcess(process, id);
    }

    /// <summary>Kills it, as <c>kill -9</c> does.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }
}
