using System.Buffers.Binary;

namespace FastLLM.Caching;

/// <summary>Reads SQLite's write-ahead log without SQLite, which stops silently at the first damaged frame.</summary>
/// <remarks>File format: https://sqlite.org/fileformat2.html#the_write_ahead_log</remarks>
internal sealed class WriteAheadLog
{
    private const int HeaderSize = 32;
    private const int FrameHeaderSize = 24;
    private const uint Magic = 0x377F0682;

    private readonly Dictionary<uint, long> _pages = [];
    private readonly List<long> _doubtful = [];

    private WriteAheadLog(int pageSize)
    {
        PageSize = pageSize;
    }

    public int PageSize { get; }

    /// <summary>Gets the damage; <see langword="null"/> if everything that was committed can be read.</summary>
    public string? Damage { get; private set; }

    /// <summary>Gets the offset of the newest image of each page, whether or not SQLite would read it.</summary>
    public IReadOnlyDictionary<uint, long> Pages => _pages;

    /// <summary>Gets the offsets of damaged images. Parts of them may be intact.</summary>
    public IReadOnlyList<long> Doubtful => _doubtful;

    /// <summary>Reads the log of a database.</summary>
    /// <param name="path">The log, which need not exist.</param>
    public static WriteAheadLog Read(string path)
    {
        using FileStream? file = File.Exists(path)
            ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 20) : null;
        if (file is null || file.Length == 0)
        {
            return new WriteAheadLog(0);
        }

        Span<byte> header = stackalloc byte[HeaderSize];
        if (file.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false) < HeaderSize)
        {
            // Shorter than its header: the process was killed before anything was committed.
            return new WriteAheadLog(0);
        }

        uint magic = BinaryPrimitives.ReadUInt32BigEndian(header);
        uint pageSize = BinaryPrimitives.ReadUInt32BigEndian(header[8..]);
        bool bigEndian = (magic & 1) != 0;
        (uint, uint) sum = Sum(header[..24], (0, 0), bigEndian);
        bool isSound = (magic & ~1u) == Magic && sum == Sums(header[24..]);
        if (!isSound && (!int.IsPow2((int)pageSize) || pageSize is < 512 or > 65536))
        {
            pageSize = 4096;
        }

        var log = new WriteAheadLog((int)pageSize);
        if (isSound)
        {
            log.ReadFrames(file, sum, header.Slice(16, 8).ToArray(), bigEndian);
        }
        else if (file.Length > HeaderSize)
        {
            log.Damage = "its header is damaged";
            log.ReadFrames(file, sum, null, bigEndian);
        }

        return log;
    }

    // The checksum of a frame covers all frames before it, and SQLite reads to the first mismatch. Only uncommitted frames may follow it.
    private void ReadFrames(FileStream file, (uint, uint) sum, byte[]? salt, bool bigEndian)
    {
        byte[] frame = new byte[FrameHeaderSize + PageSize];
        bool isReached = salt is not null;
        for (long at = HeaderSize; file.ReadAtLeast(frame, frame.Length, throwOnEndOfStream: false) == frame.Length; at += frame.Length)
        {
            salt ??= frame.AsSpan(8, 8).ToArray();
            (uint, uint) own = Sums(frame.AsSpan(16));
            bool isOfThisRound = frame.AsSpan(8, 8).SequenceEqual(salt);
            bool fits = Sum(frame.AsSpan(FrameHeaderSize), Sum(frame.AsSpan(0, 8), sum, bigEndian), bigEndian) == own;
            sum = own;
            if (!isOfThisRound && !fits)
            {
                // Left from an earlier round, before the log was restarted, unless salts and checksums are zero: SQLite never writes that.
                Damage ??= frame.AsSpan(8, 16).ContainsAnyExcept((byte)0) ? null : "its end is blank";
                isReached = false;
                continue;
            }

            bool commits = BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(4)) != 0;
            isReached &= isOfThisRound && fits;
            Damage ??= !isReached && commits ? "a part of it is damaged, and answers stand there or behind it" : null;
            if (fits)
            {
                _pages[BinaryPrimitives.ReadUInt32BigEndian(frame)] = at + FrameHeaderSize;
            }
            else
            {
                _doubtful.Add(at + FrameHeaderSize);
            }
        }
    }

    private static (uint, uint) Sums(ReadOnlySpan<byte> bytes) =>
        (BinaryPrimitives.ReadUInt32BigEndian(bytes), BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]));

    private static (uint, uint) Sum(ReadOnlySpan<byte> bytes, (uint First, uint Second) sum, bool bigEndian)
    {
        (uint first, uint second) = sum;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            first += (bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes)) + second;
            second += (bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes[4..])
                : BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..])) + first;
        }

        return (first, second);
    }
}
