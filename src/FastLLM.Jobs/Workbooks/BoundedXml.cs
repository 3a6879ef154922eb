using System.IO.Compression;
using System.IO.Hashing;
using System.Xml;
using FastLLM.Requests;

namespace FastLLM.Jobs.Workbooks;

/// <summary>Reads a part of a workbook as XML. Workbooks are not trusted: no DTD, no references, and bounds for each node and for
/// all.</summary>
internal sealed class BoundedXml : IDisposable
{
    /// <summary>The most bytes that one node may have, which is more than Excel allows in a cell.</summary>
    internal const long MaxNodeBytes = 16L << 20;

    private readonly MeteredStream _stream;

    private BoundedXml(MeteredStream stream)
    {
        _stream = stream;
        Xml = XmlReader.Create(stream, new XmlReaderSettings
        {
            DtdProcessing = DtdProcessing.Prohibit,
            XmlResolver = null,
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
            CheckCharacters = false,
            CloseInput = true,
        });
    }

    /// <summary>Gets the reader. Its position is moved with <see cref="Read"/>.</summary>
    public XmlReader Xml { get; }

    /// <summary>Opens a part.</summary>
    /// <returns>The reader; <see langword="null"/> if there is no such part.</returns>
    /// <exception cref="InvalidDataException">The part is larger than allowed, or damaged.</exception>
    public static BoundedXml? Open(ZipArchive zip, string part, long maxBytes)
    {
        ZipArchiveEntry? entry = zip.GetEntry(part);
        return entry is null ? null
            : entry.Length > maxBytes ? throw TooLarge(part, maxBytes)
            : new BoundedXml(new MeteredStream(Unpack(part, entry.Open), entry, maxBytes));
    }

    /// <summary>Reads the next node.</summary>
    public bool Read()
    {
        _stream.BeginNode();
        return Xml.Read();
    }

    /// <summary>Moves to the next child element of the element at <paramref name="depth"/>, and skips what is inside the last
    /// one.</summary>
    public bool ReadChild(int depth)
    {
        while (Read())
        {
            if (Xml.NodeType == XmlNodeType.EndElement && Xml.Depth <= depth)
            {
                return false;
            }

            if (Xml.NodeType == XmlNodeType.Element && Xml.Depth == depth + 1)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Gets an attribute, whatever its namespace.</summary>
    public string? Attribute(string name)
    {
        if (!Xml.MoveToFirstAttribute())
        {
            return null;
        }

        string? value = null;
        do
        {
            value = Xml.LocalName == name && value is null ? Xml.Value : value;
        }
        while (Xml.MoveToNextAttribute());
        Xml.MoveToElement();
        return value;
    }

    /// <inheritdoc/>
    public void Dispose() => Xml.Dispose();

    private static InvalidDataException TooLarge(string part, long maxBytes) =>
        new(FormattableString.Invariant($"{part} of the workbook is larger than {maxBytes >> 20:N0} MB. Save the table as CSV."));

    // The words of the runtime about compressed data say neither what is damaged nor what to do.
    private static T Unpack<T>(string part, Func<T> unpack)
    {
        try
        {
            return unpack();
        }
        catch (InvalidDataException e)
        {
            throw Damaged(part, e);
        }
    }

    private static InvalidDataException Damaged(string part, Exception? inner = null) =>
        new($"The workbook is damaged: {part} cannot be unpacked. Copy or save it again.", inner);

    /// <summary>Counts what is read of a part, in all and for one node, and compares its end with the checksum that .NET ignores.</summary>
    private sealed class MeteredStream(Stream inner, ZipArchiveEntry part, long maxBytes) : ReadOnlyStream(inner)
    {
        private readonly Crc32 _checksum = new();
        private long _total;
        private long _node;

        public void BeginNode() => _node = 0;

        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = Unpack(part.FullName, () => Inner.Read(buffer, offset, count));
            _checksum.Append(buffer.AsSpan(offset, read));
            _total += read;
            _node += read;
            return _total > maxBytes ? throw TooLarge(part.FullName, maxBytes)
                : _node > MaxNodeBytes ? throw new InvalidDataException(
                    $"{part.FullName} of the workbook has a cell that is larger than {MaxNodeBytes >> 20} MB.")
                : read == 0 && count > 0 && _checksum.GetCurrentHashAsUInt32() != part.Crc32 ? throw Damaged(part.FullName)
                : read;
        }
    }
}
