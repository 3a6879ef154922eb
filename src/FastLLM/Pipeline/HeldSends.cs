namespace FastLLM.Pipeline;

/// <summary>Holds the requests that wait until it is decided whose failures there are. Those that were read last may be sent first: they
/// are the furthest from the rows that failed.</summary>
/// <remarks>Not safe for concurrent use: the lock of the <see cref="SharedFailureDetector"/> guards it.</remarks>
internal sealed class HeldSends
{
    private readonly List<HeldSend> _held = [];

    /// <summary>Gets a value indicating whether no request waits.</summary>
    public bool IsEmpty => _held.Count == 0;

    /// <summary>Gets a value indicating whether a request waits of which no send has failed.</summary>
    public bool HasUnsent => _held.Exists(static held => !held.IsSuspected);

    /// <summary>Gets how many probes have not returned.</summary>
    public int ProbesOut { get; private set; }

    /// <summary>Adds a request.</summary>
    /// <param name="model">Its model.</param>
    /// <param name="started">When its row was read, as a timestamp.</param>
    /// <param name="isSuspected">Whether a send of it has failed: then it tells little as a probe.</param>
    public HeldSend Add(string? model, long started, bool isSuspected)
    {
        var held = new HeldSend(model, started, isSuspected);
        _held.Add(held);
        return held;
    }

    /// <summary>Releases probes, of as many models as can be: one of them may be all that is refused.</summary>
    /// <param name="model">Their model; <see langword="null"/> for any.</param>
    /// <param name="count">How many, at most.</param>
    /// <returns>Whether there were any.</returns>
    public bool ReleaseProbes(string? model, int count)
    {
        List<HeldSend> probes =
        [
            .. _held.Where(held => model is null || (held.Model ?? "") == model)
                .OrderBy(static held => held.IsSuspected).ThenByDescending(static held => held.Started)
                .GroupBy(static held => held.Model ?? "").SelectMany(static ofModel => ofModel.Index())
                .OrderBy(static at => at.Item.IsSuspected).ThenBy(static at => at.Index).ThenByDescending(static at => at.Item.Started)
                .Select(static at => at.Item).Take(count),
        ];
        foreach (HeldSend probe in probes)
        {
            _held.Remove(probe);
            probe.IsProbe = true;
            ProbesOut++;
            probe.Release();
        }

        return probes.Count > 0;
    }

    /// <summary>Notes that a request no longer waits, or that the probe was answered, has failed, or was not sent after all. Later calls do
    /// nothing.</summary>
    public void Leave(HeldSend held)
    {
        _held.Remove(held);
        if (held.IsProbe)
        {
            held.IsProbe = false;
            ProbesOut--;
        }
    }

    /// <summary>Releases all requests.</summary>
    public void ReleaseAll()
    {
        foreach (HeldSend held in _held)
        {
            held.Release();
        }

        _held.Clear();
    }
}

/// <summary>Represents a request that waits until it is decided whose failures there are.</summary>
/// <param name="model">Its model.</param>
/// <param name="started">When its row was read, as a timestamp.</param>
/// <param name="isSuspected">Whether a send of it has failed.</param>
internal sealed class HeldSend(string? model, long started, bool isSuspected)
{
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Gets the model.</summary>
    public string? Model { get; } = model;

    /// <summary>Gets when its row was read, as a timestamp.</summary>
    public long Started { get; } = started;

    /// <summary>Gets a value indicating whether a send of it has failed.</summary>
    public bool IsSuspected { get; } = isSuspected;

    /// <summary>Gets or sets a value indicating whether it may be sent while others wait. Under the lock of the detector.</summary>
    public bool IsProbe { get; set; }

    /// <summary>Gets a task that ends when the request may try again.</summary>
    public Task Released => _released.Task;

    /// <summary>Lets the request try again.</summary>
    public void Release() => _released.TrySetResult();
}
