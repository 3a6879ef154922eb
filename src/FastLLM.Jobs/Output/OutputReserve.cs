using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Output;

/// <summary>Holds disk space for the outcomes that are in flight when the disk is full: they are paid for.</summary>
internal sealed class OutputReserve(string path) : IDisposable
{
    private const long Bytes = 4L << 20;

    private DiskReserve? _space;

    /// <summary>Gets why nothing more should be paid for: the disk is full. <see langword="null"/> if it is not.</summary>
    public IOException? Fault { get; private set; }

    /// <summary>Gets what reserves space in a folder; tests replace it to simulate a full disk.</summary>
    internal Func<string, long, DiskReserve?> Room { get; init; } = DiskReserve.Hold;

    /// <summary>Reserves the space before the first send. If there is none, <see cref="Fault"/> says so.</summary>
    public void Hold()
    {
        try
        {
            _space ??= Room(Path.GetDirectoryName(path)!, Bytes);
        }
        catch (IOException e)
        {
            Fault = new IOException(
                $"The disk of {path} has no room for the {Bytes >> 20} MB that answers in flight may need, so nothing is sent.", e);
        }
    }

    /// <summary>Releases the space if a write failed for the lack of it.</summary>
    /// <returns>Whether the write is worth another try.</returns>
    public bool TryRelease(IOException fault)
    {
        if (!DiskReserve.IsFull(fault))
        {
            return false;
        }

        bool wasHeld = _space is not null;
        Fault ??= new IOException($"The disk of {path} is full; the outcomes in it are kept.", fault);
        Dispose();
        return wasHeld;
    }

    /// <summary>Releases the space.</summary>
    public void Dispose()
    {
        _space?.Dispose();
        _space = null;
    }
}
