using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Output;

/// <summary>Holds disk space for the outcomes that are in flight when the disk is full: they are paid for.</summary>
internal sealed class OutputReserve(string path) : IDisposable
{
    private const long Bytes = 4L << 20;

    private DiskReserve? _space;

    /// <summary>Gets why nothing more should be paid for: the disk is full. <see langword="null"/> if it is not.</summary>
    public IOException? Fault { get; private set; }

    /// <summary>Reserves the space. If there is none, <see cref="Fault"/> says so.</summary>
    public void Hold()
    {
        try
        {
            _space ??= DiskReserve.Hold(Path.GetDirectoryName(path)!, Bytes);
        }
        catch (IOException e)
        {
            Fault = Full(e);
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
        Fault ??= Full(fault);
        Dispose();
        return wasHeld;
    }

    /// <summary>Releases the space.</summary>
    public void Dispose()
    {
        _space?.Dispose();
        _space = null;
    }

    private IOException Full(IOException fault) => new($"The disk of {path} is full; the outcomes in it are kept.", fault);
}
