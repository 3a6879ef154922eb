using FastLLM.Diagnostics;
using FastLLM.Json;
using System.Text;
using System.Text.Json;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Jobs.Tables;
using FastLLM.Requests;

namespace FastLLM.Jobs.Reports;

/// <summary>Reads an output twice, first to choose the rows that the page shows, then to add up and write them.</summary>
internal sealed class ReportWriter
{
    private const int MaxRows = 50_000;
    private const long MaxTextBytes = 64_000_000;

    private static readonly JsonDocumentOptions s_depth = new() { MaxDepth = 4096 };

    private readonly Selection _selection = new(MaxRows, MaxTextBytes);
    private readonly Totals _totals = new();
    private readonly HashSet<long> _replaced = [];
    private long _damaged;

    private ReportWriter()
    {
    }

    /// <inheritdoc cref="OutputReport.WriteAsync(string, Stream, string?, CancellationToken)"/>
    public static async Task<OutputReport> WriteAsync(string output, string? input, Stream html, CancellationToken cancellationToken)
    {
        // A table, or packed lines, are made from a log beside them.
        output = OutputShape.Of(output, OutputFormat.Rows).Log is var log && File.Exists(log) ? log : output;
        FileStream file = OpenOutput(output);
        await using (file.ConfigureAwait(false))
        {
            var writer = new ReportWriter();
            await writer.SelectAsync(file, cancellationToken).ConfigureAwait(false);
            file.Position = 0;
            ReportInput questions = await ReportInput.ReadAsync(output, input, cancellationToken).ConfigureAwait(false);
            int textLength = writer._selection.TextLength;
            var page = new ReportPage(html, textLength);
            await using (page.ConfigureAwait(false))
            {
                page.Begin(questions.Title);
                await writer.AddRowsAsync(file, questions, page, cancellationToken).ConfigureAwait(false);
                if (writer._totals.Rows == 0 && writer._damaged > 0)
                {
                    throw new InvalidDataException(
                        $"{output} is not the output of a run: none of its {writer._damaged} lines is a record of a row. "
                        + "Name the file that a run has written (-o).");
                }

                var report = new OutputReport(writer._totals)
                {
                    Damaged = writer._damaged,
                    Replaced = writer._replaced.Count,
                    RowsInPage = page.Rows,
                    FailedInPage = page.FailedRows,
                    CutInPage = page.CutRows,
                };
                Markup body = ReportBody.Of(questions.Title, Path.GetFileName(output), report, writer._totals, textLength);
                await page.EndAsync(body, cancellationToken).ConfigureAwait(false);
                return report;
            }
        }
    }

    /// <inheritdoc cref="OutputReport.WriteAsync(string, string, string?, CancellationToken)"/>
    public static async Task<OutputReport> WriteFileAsync(
        string output, string? input, string html, CancellationToken cancellationToken)
    {
        if (File.Exists(html) && !IsReport(html))
        {
            throw new IOException($"{html} exists and is not a report, so it is not overwritten. Name another file.");
        }

        string unfinished = FormattableString.Invariant($"{html}.{Environment.ProcessId}.tmp");
        FileStream page = CreatePage(unfinished);
        try
        {
            OutputReport report;
            await using (page.ConfigureAwait(false))
            {
                report = await WriteAsync(output, input, page, cancellationToken).ConfigureAwait(false);
            }

            File.Move(unfinished, html, overwrite: true);
            return report;
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }
    }

    // Finds the records that later ones replace, and the number of rows of each length.
    private async Task SelectAsync(FileStream file, CancellationToken cancellationToken)
    {
        var last = new Dictionary<ulong, (long Line, int Length, bool Succeeded)>();
        using var lines = new LineReader(file);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            OutputEntry entry = OutputLine.Read(line.Span, 0, line.Length);
            if (entry.IsDamaged)
            {
                continue;
            }

            ulong id = RowIndex.Fingerprint(entry.CustomId);
            if (last.TryGetValue(id, out (long Line, int Length, bool Succeeded) earlier))
            {
                _replaced.Add(earlier.Line);
                _selection.Discount(earlier.Length, earlier.Succeeded);
            }

            last[id] = (lines.Line, line.Length, entry.Succeeded);
            _selection.Count(line.Length, entry.Succeeded);
        }
    }

    private async Task AddRowsAsync(FileStream file, ReportInput questions, ReportPage page, CancellationToken cancellationToken)
    {
        using var lines = new LineReader(file);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (_replaced.Contains(lines.Line))
            {
                continue;
            }

            OutputEntry entry = OutputLine.Read(line.Span, 0, line.Length);
            if (entry.IsDamaged)
            {
                _damaged += line.Span.Trim(" \t\r"u8).IsEmpty ? 0 : 1;
                continue;
            }

            ReportRow row;
            using (JsonDocument record = JsonDocument.Parse(line, s_depth))
            {
                row = ReportRow.Read(record.RootElement, lines.Line, entry.Succeeded);
            }

            _totals.Add(row);
            if (_selection.Takes(row.Succeeded))
            {
                await page.AddAsync(row, questions.QuestionOf(row.Id), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // A run may append to the file, and sort it, while it is read.
    private static FileStream OpenOutput(string path)
    {
        RefusePipe(path);
        return new FileStream(path, new FileStreamOptions
        {
            Access = FileAccess.Read,
            Share = FileShare.ReadWrite | FileShare.Delete,
            Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
        });
    }

    // The file is read twice; a named pipe without a writer would not even open.
    private static void RefusePipe(string path)
    {
        if (FileStatus.OfTarget(path) is { IsRegular: false, IsFolder: false })
        {
            throw new IOException($"{path} is not a regular file. Name one.");
        }
    }

    // The page holds answers: only its owner can read it.
    private static FileStream CreatePage(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(path, options);
    }

    private static bool IsReport(string path)
    {
        byte[] mark = Encoding.UTF8.GetBytes(ReportPage.Mark);
        byte[] begin = new byte[mark.Length];
        RefusePipe(path);
        using FileStream file = File.OpenRead(path);
        return file.ReadAtLeast(begin, begin.Length, throwOnEndOfStream: false) == begin.Length && begin.AsSpan().SequenceEqual(mark);
    }
}
