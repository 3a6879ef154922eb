using FastLLM.Caching;
using FastLLM.Jobs.Output;

namespace FastLLM.Jobs.Planning;

/// <summary>Decides which rows keep the records that earlier runs left in an output, and which rows are processed again.</summary>
/// <remarks>Of several records of a row the last one counts. The records of a pipe's rows are decided on when the rows come.</remarks>
internal sealed class ResumeState
{
    // The key of a record without one: any row of its id may keep it.
    private const ulong AnyKey = ulong.MaxValue;

    private readonly InputIndex _index;
    private readonly bool _retryFailed;
    private readonly RefreshRule _refresh;
    private readonly RowIndex? _waiting;
    private long _changed;
    private long _foreign;
    private long _trusted;
    private long _refreshed;

    /// <summary>Creates the state of a job without an earlier output.</summary>
    /// <param name="index">The rows of the input.</param>
    /// <param name="retryFailed">Whether failed rows are processed again.</param>
    /// <param name="refresh">Decides which answers are requested again because of their finish reasons.</param>
    public ResumeState(InputIndex index, bool retryFailed, RefreshRule refresh)
    {
        _index = index;
        _retryFailed = retryFailed;
        _refresh = refresh;
        _waiting = index.IsPipe ? new RowIndex() : null;
        index.Rows.ClearRecords();
    }

    /// <summary>Gets the number of rows whose record is kept.</summary>
    public long Kept { get; private set; }

    /// <summary>Gets the number of failed rows among them.</summary>
    public long KeptFailures { get; private set; }

    /// <summary>Gets the number of lines that are no records.</summary>
    public long Damaged { get; private set; }

    /// <summary>Gets the sum of the costs that the records state.</summary>
    public decimal Cost { get; private set; }

    /// <summary>Reads the records of an output.</summary>
    public void Read(string log)
    {
        foreach (OutputEntry entry in OutputScan.Read(log))
        {
            if (entry.IsDamaged)
            {
                Damaged++;
                continue;
            }

            Cost += entry.Cost ?? 0;
            NoteAnswer(entry);
            if (_waiting is null)
            {
                See(entry);
            }
            else
            {
                Store(_waiting, entry);
            }
        }
    }

    /// <summary>Decides on the record of a row that has just been read from a pipe.</summary>
    public void Meet(int place)
    {
        RowIndex rows = _index.Rows;
        int earlier = _waiting!.Find(rows.IdOf(place));
        if (earlier >= 0 && _waiting.RecordOf(earlier) is >= 0 and var record
            && _waiting.KeyOf(earlier) is var key && (key == AnyKey || key == rows.KeyOf(place)))
        {
            Keep(place, record, isFailure: _waiting.IsFailure(earlier));
        }
    }

    /// <summary>Gets messages about the records, one line each.</summary>
    /// <param name="log">The name of the output.</param>
    public IEnumerable<string> Notices(string log)
    {
        (long Count, FormattableString Text)[] notices =
        [
            (Damaged, $"{Damaged:N0} lines of {log} are no records and are skipped; {log}.damaged is a copy of the file."),
            (_refreshed, $"{_refreshed:N0} rows of {log} are requested again because of their finish reason (--refresh)."),
            (_changed, $"{_changed:N0} records of {log} answer a request that has changed since; those rows are sent again."),
            (_foreign, $"{_foreign:N0} records of {log} belong to no row of the input; they are dropped when the job is done."),
            (_trusted, $"{_trusted:N0} rows of {log} have no key and are matched by id alone. To send them again: --fresh."),
            (Kept == _index.Count ? 0 : Kept, $"{Kept:N0} of {_index.Count:N0} rows are finished in {log} and are not sent again."),
        ];
        return notices.Where(notice => notice.Count > 0).Select(notice => FormattableString.Invariant(notice.Text));
    }

    private static ulong KeyOf(in OutputEntry entry) => entry.Key is { } key ? RowIndex.Fingerprint(key) : AnyKey;

    private bool IsKept(in OutputEntry entry) => entry.Succeeded ? !_refresh.Applies(entry.FinishReasons) : !_retryFailed;

    // An equal row finds the answer by its key, also if the row of the record is no longer in the input.
    private void NoteAnswer(in OutputEntry entry)
    {
        if (entry is { Succeeded: true, Key: { } key } && IsKept(entry)
            && RowIndex.Fingerprint(key) is var fingerprint && (_index.Answers.MayRepeat(fingerprint) || !IsOfItsRow(entry, fingerprint)))
        {
            _index.Answers.Set(fingerprint, entry.Offset);
        }
    }

    private bool IsOfItsRow(in OutputEntry entry, ulong key) =>
        _index.Rows.Find(RowIndex.Fingerprint(entry.CustomId)) is >= 0 and var place && _index.Rows.KeyOf(place) == key;

    private void See(in OutputEntry entry)
    {
        int place = _index.Rows.Find(RowIndex.Fingerprint(entry.CustomId));
        if (place < 0)
        {
            _foreign++;
            return;
        }

        if (KeyOf(entry) is not AnyKey and var key && key != _index.Rows.KeyOf(place))
        {
            _changed++;
            return;
        }

        bool isKept = IsKept(entry);
        _trusted += entry.Key is null ? 1 : 0;
        _refreshed += entry.Succeeded && !isKept ? 1 : 0;
        if (place >= _index.Count)
        {
            _index.Rows.SetRecord(place, entry.Offset); // a row beyond the limit: its record stays in the output
            return;
        }

        Forget(place);
        if (isKept)
        {
            Keep(place, entry.Offset, isFailure: !entry.Succeeded);
        }
    }

    // A row that is sent again keeps its record in the file until the new one is written: a kill loses no answer.
    private void Forget(int place)
    {
        RowIndex rows = _index.Rows;
        if (rows.RecordOf(place) != RowIndex.NoRecord)
        {
            Kept--;
            KeptFailures -= rows.IsFailure(place) ? 1 : 0;
            rows.SetRecord(place, RowIndex.NoRecord);
        }
    }

    private void Keep(int place, long record, bool isFailure)
    {
        _index.Rows.SetRecord(place, record, isFailure);
        Kept++;
        KeptFailures += isFailure ? 1 : 0;
    }

    private void Store(RowIndex waiting, in OutputEntry entry)
    {
        int place = waiting.Add(RowIndex.Fingerprint(entry.CustomId), KeyOf(entry));
        place = place < 0 ? ~place : place;
        waiting.SetKey(place, KeyOf(entry));
        waiting.SetRecord(place, IsKept(entry) ? entry.Offset : RowIndex.NoRecord, isFailure: !entry.Succeeded);
    }
}
