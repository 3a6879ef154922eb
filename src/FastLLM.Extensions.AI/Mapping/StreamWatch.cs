using System.Diagnostics.CodeAnalysis;
using FastLLM.Providers;

namespace FastLLM.Mapping;

/// <summary>Watches the stream of a request.</summary>
internal sealed class StreamWatch(LiveStreams streams, RequestKey key) : IDisposable
{
    private readonly LiveStream _stream = streams.Watch(key);
    private volatile LiveSend? _send;
    private int _taken;

    /// <summary>Gets a task that completes at the next change. Get it before looking for events.</summary>
    public Task Changed => _stream.Changed;

    /// <summary>Begins to see the send under way, or the next one. Call it when the request is joined: the stream before may be that of a
    /// request which ended.</summary>
    public void Attach() => _send = _stream.Attach();

    /// <summary>Makes the end of a task a change.</summary>
    public Task<T> Until<T>(Task<T> task)
    {
        task.ContinueWith(static (_, stream) => ((LiveStream)stream!).Wake(), _stream, CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return task;
    }

    /// <inheritdoc cref="LiveStream.TryTake"/>
    public bool TryTake([NotNullWhen(true)] out byte[]? data)
    {
        LiveSend? send = _send;
        if (send is null)
        {
            data = null;
            return false;
        }

        bool found = _stream.TryTake(ref send, ref _taken, out data);
        _send = send;
        return found;
    }

    public void Dispose() => streams.Leave(key, _stream);
}
