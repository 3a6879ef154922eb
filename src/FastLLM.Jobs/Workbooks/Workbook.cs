using System.IO.Compression;
using System.Xml;

namespace FastLLM.Jobs.Workbooks;

/// <summary>Represents an open Excel workbook: its sheets, styles and shared texts.</summary>
/// <remarks>The texts that cells share are in memory, up to <see cref="MaxSharedBytes"/>; a sheet is read row by row. A well-kept library
/// would be welcome, but MiniExcel 1.46 reads a row that is formatted to the last column in a second and dates of 1904 wrongly, and
/// ExcelDataReader 3.6 drops errors and reserves gigabytes for a cell reference.</remarks>
internal sealed class Workbook : IDisposable
{
    internal const long MaxSharedBytes = 256L << 20;
    private const long MaxSheetBytes = 8L << 30;
    private const long MaxPartBytes = 16L << 20;
    private const int MaxParts = 10_000;

    private readonly ZipArchive _zip;
    private readonly List<(string Name, string Part)> _sheets = [];
    private readonly Dictionary<string, string> _targets = new(StringComparer.Ordinal);
    private string? _firstVisible;
    private string? _styles;
    private string? _shared;

    private Workbook(ZipArchive zip) => _zip = zip;

    /// <summary>Gets the names of the sheets with cells.</summary>
    public IReadOnlyList<string> Sheets => [.. _sheets.Select(sheet => sheet.Name)];

    /// <summary>Gets a value indicating whether dates count from 1904.</summary>
    public bool IsFrom1904 { get; private set; }

    /// <summary>Gets the styles of cells.</summary>
    public NumberFormats Formats { get; private set; } = null!;

    /// <summary>Gets the texts that cells share.</summary>
    public IReadOnlyList<string> SharedTexts { get; private set; } = [];

    /// <summary>Opens a workbook.</summary>
    /// <param name="stream">The file; it stays open.</param>
    /// <exception cref="InvalidDataException">The file is not a workbook, is damaged, or is larger than allowed.</exception>
    public static Workbook Open(Stream stream)
    {
        var workbook = new Workbook(OpenZip(stream));
        try
        {
            workbook.Read();
            return workbook;
        }
        catch
        {
            workbook.Dispose();
            throw;
        }
    }

    /// <summary>Opens a sheet.</summary>
    /// <param name="name">Its name, without regard to case; <see langword="null"/> for the first visible one.</param>
    /// <exception cref="InvalidDataException">There is no such sheet.</exception>
    public SheetReader OpenSheet(string? name)
    {
        string wanted = name ?? _firstVisible
            ?? throw new InvalidDataException("The workbook has no visible sheet with cells. Name a hidden one with --sheet.");
        (string Name, string Part) sheet = _sheets.Find(sheet => string.Equals(sheet.Name, wanted, StringComparison.OrdinalIgnoreCase));
        return sheet.Name is null
            ? throw new InvalidDataException($"The workbook has no sheet \"{wanted}\". Its sheets are: {string.Join(", ", Sheets)}.")
            : new SheetReader(this, sheet.Name, Require(sheet.Part, MaxSheetBytes));
    }

    /// <inheritdoc/>
    public void Dispose() => _zip.Dispose();

    private static ZipArchive OpenZip(Stream stream)
    {
        try
        {
            return new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException("The workbook is damaged or incomplete. Copy or save it again.", e);
        }
    }

    private void Read()
    {
        if (_zip.Entries.Count > MaxParts)
        {
            throw new InvalidDataException($"The workbook has more than {MaxParts:N0} parts.");
        }

        string part = ReadRelations("_rels/.rels", "").GetValueOrDefault("officeDocument") ?? "xl/workbook.xml";
        if (_zip.GetEntry(part) is null)
        {
            throw new InvalidDataException("This zip file is not an Excel workbook (.xlsx). Unpack it, or save the table as .xlsx or CSV.");
        }

        string folder = part[..(part.LastIndexOf('/') + 1)];
        Dictionary<string, string> byType = ReadRelations($"{folder}_rels/{part[folder.Length..]}.rels", folder);
        _styles = byType.GetValueOrDefault("styles");
        _shared = byType.GetValueOrDefault("sharedStrings");
        ReadSheets(part);
        Formats = NumberFormats.Read(_zip, _styles ?? "xl/styles.xml");
        SharedTexts = ReadSharedTexts();
    }

    // Stores the worksheets by their relation ids; returns one part for each other type.
    private Dictionary<string, string> ReadRelations(string part, string folder)
    {
        var byType = new Dictionary<string, string>(StringComparer.Ordinal);
        using BoundedXml? relations = BoundedXml.Open(_zip, part, MaxPartBytes);
        while (relations?.Read() == true)
        {
            if (relations.Xml is { NodeType: XmlNodeType.Element, LocalName: "Relationship" }
                && relations.Attribute("Target") is { } target && relations.Attribute("Type") is { } type)
            {
                string path = target.StartsWith('/') ? target[1..] : folder + target;
                string kind = type[(type.LastIndexOf('/') + 1)..];
                byType.TryAdd(kind, path);
                if (kind == "worksheet" && relations.Attribute("Id") is { } id)
                {
                    _targets[id] = path;
                }
            }
        }

        return byType;
    }

    private void ReadSheets(string part)
    {
        using BoundedXml book = Require(part, MaxPartBytes);
        while (book.Read())
        {
            if (book.Xml is { NodeType: XmlNodeType.Element, LocalName: "workbookPr" })
            {
                IsFrom1904 = book.Attribute("date1904") is "1" or "true" or "on";
            }
            else if (book.Xml is { NodeType: XmlNodeType.Element, LocalName: "sheet" }
                && _targets.TryGetValue(book.Attribute("id") ?? "", out string? target))
            {
                string name = book.Attribute("name") ?? "";
                _sheets.Add((name, target));
                _firstVisible ??= book.Attribute("state") is null or "visible" ? name : null;
            }
        }
    }

    private List<string> ReadSharedTexts()
    {
        var texts = new List<string>();
        long bytes = 0;
        using BoundedXml? shared = BoundedXml.Open(_zip, _shared ?? "xl/sharedStrings.xml", MaxSheetBytes);
        while (shared?.Read() == true)
        {
            if (shared.Xml is { NodeType: XmlNodeType.Element, LocalName: "si" })
            {
                string text = XmlText.OfRuns(shared);
                bytes += (2L * text.Length) + 32;
                texts.Add(text);
                if (bytes > MaxSharedBytes)
                {
                    throw new InvalidDataException(
                        $"The texts of the workbook need more than {MaxSharedBytes >> 20} MB of memory. "
                        + "Save the sheet as CSV, which is streamed.");
                }
            }
        }

        return texts;
    }

    private BoundedXml Require(string part, long maxBytes) => BoundedXml.Open(_zip, part, maxBytes)
        ?? throw new InvalidDataException($"The workbook is damaged: it has no part {part}.");
}
