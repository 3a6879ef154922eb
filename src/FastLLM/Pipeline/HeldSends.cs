namespace FastLLM.Pipeline;

/// <summary>Holds the requests that wait until it is decided whose failures there are. Some may be sent first, as probes: the one that was
/// read last, the furthest from the rows that failed, and others that are drawn, or bad rows in the same places would be asked by every
/// run.</summary>
/// <param name="random">Draws them: random numbers, 0 ≤ random &lt; 1.</param>
/// <remarks>Not safe for concurrent use: the lock of the <see cref="SharedFailureDetector"/> guards it.</remarks>
internal sealed class HeldSends(Func<double> random)
{
    private readonly List<HeldSend> _held = [];

    /// <summary>Gets how many requests wait.</summary>
    public int Count => _held.Count;

    /// <summary>Gets a value indicating whether no request waits.</summary>
    public bool IsEmpty => _held.Count == 0;

    /// <summary>Gets a value indicating whether a request waits of which no send has failed.</summary>
    public bool HasUnsent => _held.Exists(static held => !held.IsSuspected);

    /// <summary>Returns whether a request waits of which no send has failed, and whose row comes after another one.</summary>
    /// <param name="order">The number of the other row.</param>
    /// <param name="model">Its model; <see langword="null"/> for any.</param>
    public bool HasUnsentAfter(long order, string? model) =>
        _held.Exists(held => !held.IsSuspected && held.Order > order && IsOf(held, model));

    /// <summary>Gets how many probes have not returned.</summary>
    public int ProbesOut { get; private set; }

    /// <summary>Adds a request.</summary>
    /// <param name="model">Its model.</param>
    /// <param name="order">The number of its row in the run.</param>
    /// <param name="isSuspected">Whether a send of it has failed: as a probe it shows little.</param>
    public HeldSend Add(string? model, long order, bool isSuspected)
    {
        var held = new HeldSend(model, order, isSuspected, lot: random());
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
            .. _held.Where(held => IsOf(held, model))
                .GroupBy(static held => held.Model ?? "").SelectMany(static ofModel => Ordered(ofModel).Index())
                .OrderBy(static at => at.Item.IsSuspected).ThenBy(static at => at.Index)
                .ThenBy(static at => at.Item.Lot).ThenByDescending(static at => at.Item.Order)
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

    /// <summary>Releases all requests, in any order: a block of bad rows that comes last would look as if all fail from then on.</summary>
    public void ReleaseAll()
    {
        foreach (HeldSend held in _held.OrderBy(static held => held.Lot))
        {
            held.Release();
        }

        _held.Clear();
    }

    private static bool IsOf(HeldSend held, string? model) => model is null || (held.Model ?? "") == model;

    private static IEnumerable<HeldSend> Ordered(IEnumerable<HeldSend> held)
    {
        List<HeldSend> drawn =
        [
            .. held.OrderBy(static one => one.IsSuspected).ThenBy(static one => one.Lot).ThenByDescending(static one => one.Order),
        ];
        HeldSend last = held.MaxBy(static one => (!one.IsSuspected, one.Order))!;
        return drawn.Where(one => one != last).Prepend(last);
    }
}

/// <summary>Represents a request that waits until it is decided whose failures there are.</summary>
/// <param name="model">Its model.</param>
/// <param name="order">The number of its row in the run.</param>
/// <param name="isSuspected">Whether a send of it has failed.</param>
/// <param name="lot">A random number, by which probes are drawn.</param>
internal sealed class HeldSend(string? model, long order, bool isSuspected, double lot)
{
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Gets the model.</summary>
    public string? Model { get; } = model;

    /// <summary>Gets the number of its row in the run.</summary>
    public long Order { get; } = order;

    /// <summary>Gets a value indicating whether a send of it has failed.</summary>
    public bool IsSuspected { get; } = isSuspected;

    /// <summary>Gets a random number, by which probes are drawn.</summary>
    public double Lot { get; } = lot;

    /// <summary>Gets or sets a value indicating whether it may be sent while others wait. Under the lock of the detector.</summary>
    public bool IsProbe { get; set; }

    /// <summary>Gets a task that ends when the request may try again.</summary>
    public Task Released => _released.Task;

    /// <summary>Lets the request try again.</summary>
    public void Release() => _released.TrySetResult();
}
