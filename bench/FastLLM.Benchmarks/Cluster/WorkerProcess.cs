using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
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
    /// <param name="start">How.</param>
    /// <param name="messages">Gets what it writes afterwards.</param>
    public static async Task<WorkerProcess> StartAsync(ProcessStartInfo start, ConcurrentQueue<string> messages)
    {
        Process process = Process.Start(start)!;
        string? ready = await process.StandardError.ReadLineAsync();
        if (ready?.Split(' ') is not ["Worker", var id, ..])
        {
            process.Kill();
            throw new InvalidOperationException($"The worker did not start: {ready} {await process.StandardError.ReadToEndAsync()}");
        }

        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        _ = CollectAsync(process.StandardError, id, messages);
        return new WorkerProcess(process, id);
    }

    /// <summary>Sends it a signal: <c>TERM</c>, <c>STOP</c>.</summary>
    public void Signal(string name)
    {
        using Process kill = Process.Start("kill", [$"-{name}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
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

    private static async Task CollectAsync(StreamReader lines, string id, ConcurrentQueue<string> messages)
    {
        while (await lines.ReadLineAsync() is { } line)
        {
            messages.Enqueue($"{id}: {line}");
        }
    }
}
