using System.Globalization;
using FastLLM.Pipeline;

namespace FastLLM.Jobs.Output;

/// <summary>Where the records of rows go. Used by one thread at a time, but for <see cref="WaitForRoomAsync"/>.</summary>
internal abstract class RowSink
{
    /// <summary>A sink for runs that have not begun.</summary>
    public static readonly RowSink None = new NoSink();

    /// <summary>Takes a record.</summary>
    /// <param name="place">The row's place in the input.</param>
    /// <param name="record">The line with its LF; good only during the call.</param>
    public abstract void Write(int place, ReadOnlySpan<byte> record);

    /// <summary>Waits until another row may be begun; a sink that keeps order must not be left with too much to keep.</summary>
    public virtual ValueTask WaitForRoomAsync(CancellationToken cancellationToken) => default;

    /// <summary>Writes what is still held back.</summary>
    public virtual void Flush()
    {
    }

    private sealed class NoSink : RowSink
    {
        public override void Write(int place, ReadOnlySpan<byte> record) => throw new InvalidOperationException(
            string.Create(CultureInfo.InvariantCulture, $"Row {place} came before the run began."));
    }
}

/// <summary>Appends records to the output as they come, and remembers where they stand.</summary>
internal sealed class FileSink(OutputFile output, RowIndex table) : RowSink
{
    public override void Write(int place, ReadOnlySpan<byte> record) => table.SetRecord(place, output.Append(record));
}

/// <summary>Writes records into a pipe: as they come, or in input order through a window of rows that are held back.</summary>
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

    public void Dispose()
    {
        _room.Dispose();
        stream.Dispose();
    }

    public override void Flush()
    {
        foreach (byte[] record in _held.Values)
        {
            stream.Write(record);
        }

        _held.Clear();
    }
}
