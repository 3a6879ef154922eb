using System.IO.Compression;
using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Input;

/// <summary>Specifies what an input is read as.</summary>
internal enum InputKind
{
    /// <summary>JSON texts, one per line.</summary>
    Lines,

    /// <summary>JSON texts as the elements of an array.</summary>
    Array,

    /// <summary>A table as text.</summary>
    Text,

    /// <summary>An Excel workbook.</summary>
    Workbook,
    Parquet,
}

/// <summary>Detects the format of an input from its name and its first bytes.</summary>
internal static class InputSource
{
    private const string Packed = ".gz";
    private const int SeenBytes = 16 * 1024;

    /// <summary>Gets the format that the name of a file implies, if none is given.</summary>
    public static InputFormat ByName(string path, InputFormat format)
    {
        if (format != InputFormat.Auto)
        {
            return format;
        }

        return EndingOf(path) switch
        {
            ".CSV" => InputFormat.Csv,
            ".TSV" or ".TAB" => InputFormat.Tsv,
            _ => InputFormat.Auto,
        };
    }

    /// <summary>Gets the encoding of a text that begins with a BOM; <see langword="null"/> for UTF-8 without one.</summary>
    public static Encoding? EncodingOf(ReadOnlySpan<byte> begin) => begin switch
    {
        [0xEF, 0xBB, 0xBF, ..] => new UTF8Encoding(encoderShouldEmitUTF8Identifier: true),
        [0xFF, 0xFE, ..] => new UnicodeEncoding(bigEndian: false, byteOrderMark: true, throwOnInvalidBytes: true),
        [0xFE, 0xFF, ..] => new UnicodeEncoding(bigEndian: true, byteOrderMark: true, throwOnInvalidBytes: true),
        _ => null,
    };

    /// <summary>Gets the begin of a text as UTF-8 without a BOM.</summary>
    public static ReadOnlySpan<byte> TextOf(ReadOnlySpan<byte> begin) => EncodingOf(begin) switch
    {
        null => begin,
        UnicodeEncoding utf16 => Encoding.UTF8.GetBytes(
            (utf16.Preamble[0] == 0xFF ? Encoding.Unicode : Encoding.BigEndianUnicode).GetString(begin[2..(begin.Length & ~1)])),
        _ => begin["\uFEFF"u8.Length..],
    };

    /// <summary>Gets what an input is read as.</summary>
    /// <param name="begin">Its first bytes, unpacked.</param>
    /// <param name="format">The format that the name or the user states.</param>
    /// <param name="hasTemplate">Whether a template makes requests of the rows.</param>
    /// <exception cref="InvalidDataException">The first bytes are those of a file that cannot be read, or not of the format.</exception>
    public static InputKind KindOf(ReadOnlySpan<byte> begin, InputFormat format, bool hasTemplate)
    {
        if (begin.StartsWith("PK\x03\x04"u8))
        {
            return InputKind.Workbook;
        }

        if (begin.StartsWith("PAR1"u8))
        {
            return InputKind.Parquet;
        }

        if (begin is [0xD0, 0xCF, 0x11, 0xE0, ..])
        {
            throw new InvalidDataException(
                "The input is an old Excel workbook (.xls), or one with a password. Save it as .xlsx without a password, or as CSV.");
        }

        if (NotText.Describe(begin) is { } other)
        {
            throw new InvalidDataException(other);
        }

        ReadOnlySpan<byte> first = TextOf(begin).TrimStart(" \t\r\n"u8);
        return format switch
        {
            InputFormat.Csv or InputFormat.Tsv => InputKind.Text,
            _ when first is [(byte)'[', ..] => InputKind.Array,
            InputFormat.Auto when hasTemplate && first is [not (byte)'{', ..] => InputKind.Text,
            _ => InputKind.Lines,
        };
    }

    /// <summary>Gets the name of the output of a job that names none: for a table the same kind of table, otherwise OpenAI's
    /// lines.</summary>
    public static string DefaultOutput(string input, JobOptions options)
    {
        if (input == Job.Pipe)
        {
            return Job.Pipe;
        }

        string name = Path.GetFileName(input);
        name = name.EndsWith(Packed, StringComparison.OrdinalIgnoreCase) ? name[..^Packed.Length] : name;
        string ending = Path.GetExtension(name);
        string stem = Path.GetFileNameWithoutExtension(name);
        InputKind? kind = options.OutputFormat == OutputFormat.OpenAI ? null : Peek(input, options);
        string output = (kind, ending.ToUpperInvariant()) switch
        {
            (InputKind.Workbook, ".XLSX" or ".XLSM") => stem + ".out.xlsx",
            (InputKind.Workbook, _) => name + ".out.xlsx",
            (InputKind.Parquet, ".PARQUET") => stem + ".out.parquet",
            (InputKind.Parquet, _) => name + ".out.parquet",
            (InputKind.Text, ".CSV" or ".TSV" or ".TAB") => stem + ".out" + ending,
            (InputKind.Text, _) => name + ".out.csv",
            (InputKind.Array, ".JSON") when options.Template is not null => stem + ".out.json",
            (_, ".JSONL") => stem + ".out.jsonl",
            _ => name + ".out.jsonl", // keeps the ending: a table and a JSON Lines file may share a stem
        };
        return Path.Combine(Path.GetDirectoryName(input) ?? "", output);
    }

    /// <summary>Gets the name that the output of a table had before outputs were tables.</summary>
    public static string EarlierOutput(string input) =>
        (input.EndsWith(Packed, StringComparison.OrdinalIgnoreCase) ? input[..^Packed.Length] : input) + ".out.jsonl";

    private static string EndingOf(string path) =>
        Path.GetExtension(path.EndsWith(Packed, StringComparison.OrdinalIgnoreCase) ? path[..^Packed.Length] : path).ToUpperInvariant();

    // What cannot be read is reported when the job is planned.
    private static InputKind? Peek(string input, JobOptions options)
    {
        try
        {
            if (FileStatus.OfTarget(input) is { IsRegular: false })
            {
                return null; // a named pipe would be waited for
            }

            byte[] begin = new byte[SeenBytes];
            using var file = new FileStream(input, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            int length = file.CanSeek ? file.ReadAtLeast(begin, begin.Length, throwOnEndOfStream: false) : 0;
            if (begin is [0x1F, 0x8B, ..])
            {
                file.Position = 0;
                using var packed = new GZipStream(file, CompressionMode.Decompress);
                length = packed.ReadAtLeast(begin, begin.Length, throwOnEndOfStream: false);
            }

            return KindOf(begin.AsSpan(0, length), ByName(input, options.InputFormat), options.Template is not null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return null;
        }
    }
}
