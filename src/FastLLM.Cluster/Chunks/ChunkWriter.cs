using System.Diagnostics.CodeAnalysis;
using System.Text;
using FastLLM.Jobs.Planning;

namespace FastLLM.Cluster.Chunks;

/// <summary>Collects rows until they fill a chunk: 500 rows or 2 MB, whichever comes first. A row that is larger is a chunk of its
/// own.</summary>
/// <remarks>Format: a version, the number of rows and, for each row, texts and bytes with their lengths in front. Brotli.</remarks>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The writer holds only memory.")]
internal sealed class ChunkWriter
{
    public const int MaxRows = 500;
    public const int MaxBytes = 2 << 20;

    /// <summary>The version of the format.</summary>
    public const byte Version = 1;

    private readonly MemoryStream _buffer = new();
    private readonly BinaryWriter _writer;

    public ChunkWriter() => _writer = new BinaryWriter(_buffer, Encoding.UTF8);

    /// <summary>Gets the number of rows.</summary>
    public int Rows { get; private set; }

    /// <summary>Determines whether a row must begin another chunk.</summary>
    public bool IsFullFor(in PlannedRow row) =>
        Rows >= MaxRows || (Rows > 0 && _buffer.Length + (row.Request?.Body.Length ?? 0) + row.Metadata.Length > MaxBytes);

    /// <summary>Adds a row.</summary>
    public void Add(in PlannedRow row)
    {
        Rows++;
        _writer.Write(row.Id);
        _writer.Write(row.Error is not null);
        if (row.Error is not null)
        {
            _writer.Write(row.Error);
        }
        else
        {
            _writer.Write(row.Request!.Endpoint);
            _writer.Write7BitEncodedInt(row.Request.Sample);
            Write(row.Request.Body.Span);
        }

        Write(row.Metadata.Span);
    }

    /// <summary>Returns the compressed rows, and begins the next chunk.</summary>
    public byte[] Take()
    {
        _writer.Flush();
        byte[] packed = Compression.Pack(stream =>
        {
            stream.WriteByte(Version);
            using var head = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            head.Write7BitEncodedInt(Rows);
            head.Flush();
            stream.Write(_buffer.GetBuffer(), 0, (int)_buffer.Length);
        });
        Rows = 0;
        _buffer.SetLength(0);
        if (_buffer.Capacity > 2 * MaxBytes)
        {
            _buffer.Capacity = 0;
        }

        return packed;
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        _writer.Write7BitEncodedInt(bytes.Length);
        _writer.Write(bytes);
    }
}
