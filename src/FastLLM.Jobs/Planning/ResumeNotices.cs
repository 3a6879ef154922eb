using FastLLM.Diagnostics;
using FastLLM.Jobs.Output;

namespace FastLLM.Jobs.Planning;

/// <summary>Counts the records of an output that are not simply kept, and tells their number and what happens to them.</summary>
internal sealed class ResumeNotices
{
    private readonly HashSet<int> _changed = [];
    private (long Records, long Answers) _outdated;

    /// <summary>Gets the number of records that belong to no row of the input, and of answers among them.</summary>
    public (long Records, long Answers) Foreign { get; private set; }

    /// <summary>Gets or sets the number of records without a key.</summary>
    public long Trusted { get; set; }

    /// <summary>Gets or sets the number of answers that are requested again.</summary>
    public long Refreshed { get; set; }

    /// <summary>Gets or sets the number of answers that the simulator has made up.</summary>
    public long Simulated { get; set; }

    /// <summary>Counts a record that belongs to no row of the input.</summary>
    public void AddForeign(in OutputEntry entry) => Foreign = Add(Foreign, entry);

    /// <summary>Counts a record that belongs to another request of its row.</summary>
    /// <param name="entry">The record.</param>
    /// <param name="row">The row; <see langword="null"/> if the job does not process it.</param>
    public void AddOutdated(in OutputEntry entry, int? row)
    {
        _outdated = Add(_outdated, entry);
        if (row is { } changed)
        {
            _changed.Add(changed);
        }
    }

    /// <summary>Gets messages about the records, and whether the user must not miss them: they concern answers that leave the
    /// output.</summary>
    /// <param name="log">The name of the output.</param>
    /// <param name="isSorted">Whether records that belong to no row leave the output when the job is done.</param>
    /// <param name="index">The rows.</param>
    /// <param name="kept">The number of rows whose record is kept.</param>
    public IEnumerable<(FormattableString Text, bool IsWarning)> Of(string log, bool isSorted, InputIndex index, long kept)
    {
        string fate = isSorted ? $"When the job is done, they are moved to {PlainFile.FreeName(log + ".bak")}." : $"They stay in {log}.";
        int changed = _changed.Count(row => index.Rows.RecordOf(row) == RowIndex.NoRecord);
        (long Count, FormattableString Text, bool IsWarning)[] notices =
        [
            (Refreshed, $"{Refreshed:N0} rows of {log} are requested again because of their finish reason (--refresh).", false),
            (Simulated, $"{Simulated:N0} answers in {log} are made up by the simulator; their rows are sent again.", false),
            (changed, $"{changed:N0} rows have another request now than in {log}; they are sent again.", false),
            (_outdated.Records,
                $"{_outdated.Records:N0} records of {log} ({_outdated.Answers:N0} answers) belong to earlier requests of its rows. {fate}",
                isSorted && _outdated.Answers > 0),
            (Foreign.Records,
                $"{Foreign.Records:N0} records of {log} ({Foreign.Answers:N0} answers) belong to no row of the input. {fate}",
                isSorted && Foreign.Answers > 0),
            (Trusted, $"{Trusted:N0} rows of {log} have no key and are matched by id alone. To send them again: --fresh.", false),
            (kept == index.Count ? 0 : kept, $"{kept:N0} of {index.Count:N0} rows are finished in {log} and are not sent again.", false),
        ];
        return notices.Where(notice => notice.Count > 0).Select(notice => (notice.Text, notice.IsWarning));
    }

    private static (long Records, long Answers) Add((long Records, long Answers) count, in OutputEntry entry) =>
        (count.Records + 1, count.Answers + (entry.Succeeded ? 1 : 0));
}
