namespace FastLLM.Providers;

/// <summary>Holds the streams of a manager that are watched, by key. A send that is not watched costs nothing.</summary>
internal sealed class LiveStreams
{
    private readonly Lock _gate = new();
    private readonly Dictionary<RequestKey, LiveStream> _streams = [];
    private volatile int _count;

    /// <summary>Watches the stream of a key. It sees the sends that begin from now on, and all of one that is watched already.</summary>
    public LiveStream Watch(RequestKey key)
    {
        lock (_gate)
        {
            if (!_streams.TryGetValue(key, out LiveStream? stream))
            {
                _streams.Add(key, stream = new LiveStream());
                _count = _streams.Count;
            }

            stream.Watchers++;
            return stream;
        }
    }

    /// <summary>Ends a watch. The events are dropped with the last watcher.</summary>
    public void Leave(RequestKey key, LiveStream stream)
    {
        lock (_gate)
        {
            if (--stream.Watchers == 0)
            {
                _streams.Remove(key);
                _count = _streams.Count;
            }
        }
    }

    /// <summary>Gets the stream of a request, if it is watched.</summary>
    public LiveStream? Find(LlmRequest request)
    {
        if (_count == 0)
        {
            return null;
        }

        lock (_gate)
        {
            return _streams.GetValueOrDefault(request.Key);
        }
    }
}
