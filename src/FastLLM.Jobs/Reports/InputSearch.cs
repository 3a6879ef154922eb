using System.Buffers;
using System.Text;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Input;
using FastLLM.Jobs.Output;
using FastLLM.Json;

namespace FastLLM.Jobs.Reports;

/// <summary>Finds the input of an output in the same folder: the one file with a row that a record of the output was made from.</summary>
internal sealed class InputSearch
{
    private const int MaxFiles = 100;
    private const int MaxRecords = 100;
    private const int MaxRows = 5_000; // of a file: records may have been written in any order
    private const int MaxRecordBytes = 1_000_000;

    private static readonly string[] s_endings = [".csv", ".tsv", ".tab", ".xlsx", ".xlsm", ".parquet", ".json", ".jsonl"];
    private static readonly JsonDocumentOptions s_depth = new() { MaxDepth = 4096 };

    private readonly HashSet<string> _columns = new(StringComparer.Ordinal);
    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);

    private InputSearch()
    {
    }

    /// <summary>Returns the path of the input; <see langword="null"/> if no file, or more than one, has rows of the output.</summary>
    /// <param name="output">The output, or its log.</param>
    /// <param name="cancellationToken">Cancels the search.</param>
    public static async Task<string?> FindAsync(string output, CancellationToken cancellationToken)
    {
        var search = new InputSearch();
        await search.ReadRecordsAsync(output, cancellationToken).ConfigureAwait(false);
        if (search._columns.Count + search._keys.Count == 0)
        {
            return null;
        }

        string? found = null;
        foreach (string path in Candidates(output))
        {
            if (!await search.HasRowOfAsync(path, cancellationToken).ConfigureAwait(false))
            {
                continue;
            }

            if (found is not null)
            {
                return null;
            }

            found = path;
        }

        return found;
    }

    private static IEnumerable<string> Candidates(string output)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(output))!;
        try
        {
            return
            [
                .. Directory.EnumerateFiles(folder).Where(path => IsInput(path) && !OutputPath.IsSame(path, output))
                    .Where(static path => FileStatus.OfTarget(path) is { IsRegular: true }).Take(MaxFiles),
            ];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static bool IsInput(string path)
    {
        const string Packed = ".gz";
        string name = path.EndsWith(Packed, StringComparison.OrdinalIgnoreCase) ? path[..^Packed.Length] : path;
        return s_endings.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase);
    }

    private static string Text(ReadOnlySpan<byte> json)
    {
        var minified = new ArrayBufferWriter<byte>(json.Length + 1);
        JsonMinifier.Write(json, minified);
        return Encoding.UTF8.GetString(minified.WrittenSpan);
    }

    private async Task ReadRecordsAsync(string output, CancellationToken cancellationToken)
    {
        using FileStream file = new(output, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var lines = new LineReader(file);
        for (var i = 0; i < MaxRecords && await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line; i++)
        {
            if (line.Length > MaxRecordBytes || OutputLine.Read(line.Span, 0, line.Length).IsDamaged)
            {
                continue;
            }

            using JsonDocument record = JsonDocument.Parse(line, s_depth);
            JsonElement own = record.RootElement.Member("fastllm");
            if (own.Member("metadata") is { ValueKind: JsonValueKind.Object } columns)
            {
                _columns.Add(Text(columns.RawBytes()));
            }
            else if (own.Text("key") is { } key)
            {
                _keys.Add(key);
            }
        }
    }

    // Rows with columns were made by a template, which one does not matter here. Others are requests, which their keys identify.
    private async Task<bool> HasRowOfAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            RowRequests? template = _columns.Count == 0 ? null
                : new RowRequests(new RowTemplate { Prompt = "-", AllowMissing = true }, model: null, filesBelow: ".");
            using var reader = new InputReader(File.OpenRead(path), InputSource.ByName(path, InputFormat.Auto), model: null, template)
            {
                OwnsStream = true,
                ReusesRows = true,
            };
            for (var i = 0; i < MaxRows && await reader.ReadAsync(cancellationToken).ConfigureAwait(false) is { } row; i++)
            {
                if (template is null ? row.Request is { } request && _keys.Contains(request.Key.ToString())
                    : !row.Metadata.IsEmpty && _columns.Contains(Text(row.Metadata.Span)))
                {
                    return true;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or NotSupportedException
            or JsonException or ArgumentException)
        {
            // Not an input.
        }

        return false;
    }
}
