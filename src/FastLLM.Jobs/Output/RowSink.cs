using FastLLM.Jobs.Planning;

namespace FastLLM.Jobs.Output;

/// <summary>Base class for the destinations of records. Used by one thread at a time, except for <see cref="WaitForRoomAsync"/>.</summary>
internal abstract class RowSink
{
    /// <summary>Writes a record.</summary>
    /// <param name="place">The row's place in the input.</param>
    /// <param name="record">The line with its LF; valid during the call only.</param>
    public abstract void Write(int place, ReadOnlySpan<byte> record);

    /// <summary>Waits until another row may start: a sink that keeps the order must not hold too many records.</summary>
    public virtual ValueTask WaitForRoomAsync(CancellationToken cancellationToken) => default;

    /// <summary>Writes the records that are held back.</summary>
    public virtual void Flush()
    {
    }
}

/// <summary>Appends records to an output file as they come, and stores their offsets.</summary>
internal sealed class FileSink(OutputFile output, RowIndex rows) : RowSink
{
    public override void Write(int place, ReadOnlySpan<byte> record) => rows.SetRecord(place, output.Append(record));
}

/// <summary>Writes records to a pipe, as they come or, through a window of records that are held back, in input order.</summary>
internal sealed class PipeSink(Stream stream, bool inOrder) : RowSink, IDisposable
{
    private const int Window = 4096;

    private readonly SemaphoreSlim _room = new(Window);
    private readonly SortedDictionary<int, byte[]> _held = [];
    private int _next;

    public override void Write(int place, ReadOnlySpan<byte> record)
    {
        if (!inOrder)
        {
            stream.Write(record);
            return;
        }

        _held.Add(place, record.ToArray());
        while (_held.Remove(_next, out byte[]? next))
        {
            stream.Write(next);
            _next++;
            _room.Release();
        }
    }

    public override ValueTask WaitForRoomAsync(CancellationToken cancellationToken) =>
        inOrder ? new ValueTask(_room.WaitAsync(cancellationToken)) : default;

    public override void Flush()
    {
        foreach (byte[] record in _held.Values)
        {
            stream.Write(record);
        }

        _held.Clear();
    }

    public void Dispose()
    {
        _room.Dispose();
        stream.Dispose();
    }
}
