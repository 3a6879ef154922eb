using System.Diagnostics.CodeAnalysis;
using FastLLM.Providers;

namespace FastLLM.Mapping;

/// <summary>Watches the stream of a request.</summary>
internal sealed class StreamWatch(LiveStreams streams, RequestKey key) : IDisposable
{
    private readonly LiveStream _stream = streams.Watch(key);
    private LivePosition _position;

    /// <summary>Gets a task that completes at the next change. Get it before looking for events.</summary>
    public Task Changed => _stream.Changed;

    /// <summary>Makes the end of a task a change.</summary>
    public Task<T> Until<T>(Task<T> task)
    {
        task.ContinueWith(static (_, stream) => ((LiveStream)stream!).Wake(), _stream, CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return task;
    }

    /// <inheritdoc cref="LiveStream.TryTake"/>
    public bool TryTake([NotNullWhen(true)] out byte[]? data) => _stream.TryTake(ref _position, out data);

    public void Dispose() => streams.Leave(key, _stream);
}
