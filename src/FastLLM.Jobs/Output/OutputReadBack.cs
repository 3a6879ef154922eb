using FastLLM.Diagnostics;
using FastLLM.Jobs.Planning;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Reads an output once from its begin to its end, and compares it with what the rows should have there.</summary>
internal sealed class OutputReadBack
{
    private readonly RowIndex _rows;

    private OutputReadBack(RowIndex rows) => _rows = rows;

    /// <summary>Gets the rows whose record is not where it was written, or is not theirs.</summary>
    public List<int> Lost { get; } = [];

    /// <summary>Gets the number of rows of the job that have an answer.</summary>
    public long Succeeded { get; private set; }

    /// <summary>Gets the number of rows of the job that have the record of a failure.</summary>
    public long Failed { get; private set; }

    /// <summary>Gets the number of records that the sort drops although they may be of value, and of answers among them.</summary>
    public (long Records, long Answers) Dropped { get; private set; }

    /// <summary>Gets what the records of the rows cost.</summary>
    public decimal Cost { get; private set; }

    /// <summary>Gets what the other records cost: those that belong to no row, or to an earlier request of one.</summary>
    public decimal OtherCost { get; private set; }

    /// <summary>Reads an output.</summary>
    /// <param name="log">The output; <see langword="null"/> if there is none.</param>
    /// <param name="rows">The rows and the offsets of their records.</param>
    /// <param name="count">The number of rows of the job; those behind them are beyond its limit.</param>
    public static OutputReadBack Of(SafeFileHandle? log, RowIndex rows, long count)
    {
        var result = new OutputReadBack(rows);
        var seen = new bool[rows.Count];
        Dictionary<int, OutputEntry> moved = [];
        foreach (OutputEntry entry in log is null ? [] : OutputScan.Read(log))
        {
            int place = entry.IsDamaged ? -1 : rows.Find(RowIndex.Fingerprint(entry.CustomId));
            if (place >= 0 && rows.RecordOf(place) == entry.Offset && rows.HasKeyOf(place, entry))
            {
                seen[place] = true;
                result.Count(entry, place < count);
            }
            else if (place >= 0 && entry.Succeeded && rows.HasKeyOf(place, entry) && !seen[place] && !moved.ContainsKey(place))
            {
                moved.Add(place, entry);
            }
            else
            {
                result.CountOther(entry, place);
            }
        }

        for (var row = 0; row < seen.Length; row++)
        {
            if (!seen[row] && rows.RecordOf(row) != RowIndex.NoRecord && !moved.ContainsKey(row))
            {
                result.Lost.Add(row);
            }
        }

        foreach ((int row, OutputEntry entry) in moved)
        {
            if (seen[row] || rows.RecordOf(row) == RowIndex.NoRecord)
            {
                result.CountOther(entry, row);
                continue;
            }

            // Something else has written before it.
            rows.SetRecord(row, entry.Offset);
            result.Count(entry, row < count);
        }

        return result;
    }

    /// <summary>Copies the records that the sort drops to the first free name of <c>.bak</c>, <c>.bak2</c> …, which a run can resume
    /// from.</summary>
    /// <returns>The name.</returns>
    public string KeepDropped(SafeFileHandle log, string path)
    {
        using FileStream kept = PlainFile.CreateNumbered(path + ".bak");
        PlainFile.CopyMode(log, kept.SafeFileHandle);
        using var buffered = new BufferedStream(kept, 1 << 20);
        foreach (OutputEntry entry in OutputScan.Read(log))
        {
            int place = entry.IsDamaged ? -1 : _rows.Find(RowIndex.Fingerprint(entry.CustomId));
            if ((place < 0 || _rows.RecordOf(place) != entry.Offset) && IsOfValue(entry, place))
            {
                byte[] record = new byte[entry.Length];
                int length = RandomAccess.Read(log, record, entry.Offset);
                buffered.Write(record, 0, length);
            }
        }

        buffered.Flush();
        kept.Flush(flushToDisk: true);
        return kept.Name;
    }

    private void Count(in OutputEntry entry, bool isOfJob)
    {
        Cost += entry.Cost ?? 0;
        Succeeded += isOfJob && entry.Succeeded ? 1 : 0;
        Failed += isOfJob && !entry.Succeeded ? 1 : 0;
    }

    private void CountOther(in OutputEntry entry, int place)
    {
        OtherCost += entry.Cost ?? 0;
        if (IsOfValue(entry, place))
        {
            Dropped = (Dropped.Records + 1, Dropped.Answers + (entry.Succeeded ? 1 : 0));
        }
    }

    // Damaged lines have their copy already; a failure of a row that has a later outcome is of no value.
    private bool IsOfValue(in OutputEntry entry, int place) =>
        !entry.IsDamaged && (entry.Succeeded || place < 0 || !_rows.HasKeyOf(place, entry));
}
