using System.Buffers;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Workers;

/// <summary>Represents a chunk in work: its rows, and the lines of those that have an outcome.</summary>
/// <remarks>Outcomes are added by one thread at a time.</remarks>
internal sealed class ChunkWork(TakenChunk taken, ChunkRow[] rows, Delivery delivery)
{
    private readonly ArrayBufferWriter<byte> _lines = new(64 << 10);
    private readonly (int Offset, int Length)[] _places = new (int, int)[rows.Length];
    private volatile bool _isLost;
    private ChunkCounts _counts;
    private int _done;

    /// <summary>Gets the chunk as it was taken.</summary>
    public TakenChunk Taken => taken;

    /// <summary>Gets the rows.</summary>
    public ReadOnlySpan<ChunkRow> Rows => rows;

    /// <summary>Gets the message that brought the chunk.</summary>
    public Delivery Delivery => delivery;

    /// <summary>Gets a value indicating whether every row has an outcome.</summary>
    public bool IsComplete => _done == rows.Length;

    /// <summary>Gets a value indicating whether the chunk is another worker's now, or its job was canceled: no more of its rows are
    /// sent.</summary>
    public bool IsLost => _isLost;

    /// <summary>Gets the number of rows that failed without being sent.</summary>
    public int FailedEarly { get; private set; }

    /// <summary>Gets what the outcomes add up to.</summary>
    public ChunkCounts Counts => _counts;

    /// <summary>Adds the line of a row that was sent.</summary>
    public void Add(int row, ReadOnlySpan<byte> line, ResponseWrapper outcome)
    {
        Add(row, line);
        _counts = _counts.With(outcome);
    }

    /// <summary>Adds the line of a row that failed without being sent.</summary>
    public void AddFailed(int row, ReadOnlySpan<byte> line)
    {
        Add(row, line);
        _counts = _counts.WithFailed(1);
        FailedEarly++;
    }

    /// <summary>Notes that the chunk is not the worker's any more.</summary>
    public void Lose() => _isLost = true;

    /// <summary>Returns the packed lines, in the order of the rows.</summary>
    public byte[] PackOutput() => Compression.Pack(stream =>
    {
        foreach ((int offset, int length) in _places)
        {
            stream.Write(_lines.WrittenSpan.Slice(offset, length));
        }
    });

    private void Add(int row, ReadOnlySpan<byte> line)
    {
        _places[row] = (_lines.WrittenCount, line.Length);
        _lines.Write(line);
        _done++;
    }
}
