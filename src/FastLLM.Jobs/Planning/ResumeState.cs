using System.Collections;
using FastLLM.Caching;
using FastLLM.Jobs.Output;

namespace FastLLM.Jobs.Planning;

/// <summary>Decides which rows keep the records that earlier runs left in an output, and which rows are processed again.</summary>
/// <remarks>Of several records of a row the last one counts. The records of a pipe's rows are decided on when the rows come.</remarks>
internal sealed class ResumeState
{
    // The key of a record without one: any row of its id may keep it.
    private const ulong AnyKey = ulong.MaxValue;

    // Many fields because what is kept is counted by kind, and what decides it comes from the options.
    private readonly InputIndex _index;
    private readonly bool _retryFailed;
    private readonly bool _keepsSimulated;
    private readonly RefreshRule _refresh;
    private readonly RowIndex? _waiting;
    private readonly ResumeNotices _notices = new();
    private OutputStamp? _stamp;
    private readonly BitArray _refreshed = new(0);
    private long _records;

    /// <summary>Creates the state of a job without an earlier output.</summary>
    /// <param name="index">The rows of the input.</param>
    /// <param name="retryFailed">Whether failed rows are processed again.</param>
    /// <param name="refresh">Decides which answers are requested again because of their finish reasons.</param>
    /// <param name="keepsSimulated">Whether answers that the simulator has made up are kept.</param>
    public ResumeState(InputIndex index, bool retryFailed, RefreshRule refresh, bool keepsSimulated = false)
    {
        _keepsSimulated = keepsSimulated;
        _index = index;
        _retryFailed = retryFailed;
        _refresh = refresh;
        _waiting = index.IsPipe ? new RowIndex() : null;
        index.Rows.ClearRecords();
    }

    /// <summary>Gets the number of the refresh that the run continues: its results, and later records, are kept.</summary>
    public long RefreshedSince { get; init; } = long.MaxValue;

    /// <summary>Gets the ids of rows whose records are kept whatever they are; <see langword="null"/> for none.</summary>
    public IReadOnlySet<string>? SettledRows { get; init; }

    /// <summary>Gets a value indicating whether every record is kept, also one whose row is to be processed again.</summary>
    public bool KeepsAll { get; init; }

    /// <summary>Gets the highest number of a refresh among the records.</summary>
    public long LatestRefresh { get; private set; }

    /// <summary>Gets the number of rows whose record is kept.</summary>
    public long Kept { get; private set; }

    /// <summary>Gets the number of failed rows among them.</summary>
    public long KeptFailures { get; private set; }

    /// <summary>Gets the number of failed rows that are sent again and have no new outcome yet: the output still holds their
    /// failures.</summary>
    public long OldFailures => _retryFailed ? _index.Rows.CountOldFailures(_index.Count) : 0;

    /// <summary>Gets the number of failures of earlier runs that the output holds.</summary>
    public long EarlierFailures => KeptFailures + OldFailures;

    /// <summary>Gets the number of records that belong to no row of the input.</summary>
    public long Foreign => _notices.Foreign.Records;

    /// <summary>Gets a value indicating whether there is any record.</summary>
    public bool HasRecords => _records > 0;

    /// <summary>Gets the number of lines that are no records.</summary>
    public long Damaged { get; private set; }

    /// <summary>Gets the offset of the end of the last of them.</summary>
    public long DamagedEnd { get; private set; }

    /// <summary>Gets the sum of the costs that the records state.</summary>
    public decimal Cost { get; private set; }

    /// <summary>Gets what counts the costs that they do not state.</summary>
    public UnstatedCosts Unstated { get; init; } = new(hasBudget: false);

    /// <summary>Reads the records of an output.</summary>
    public void Read(string log)
    {
        _stamp = OutputStamp.Of(log);
        foreach (OutputEntry entry in OutputScan.Read(log))
        {
            if (entry.IsDamaged)
            {
                Damaged++;
                DamagedEnd = entry.Offset + entry.Length;
                continue;
            }

            _records++;
            if (entry.IsSimulated && !_keepsSimulated)
            {
                _notices.Simulated++; // not an answer of a provider, and not paid
                continue;
            }

            Cost += entry.Cost ?? 0;
            LatestRefresh = Math.Max(LatestRefresh, entry.Refresh);
            ulong id = RowIndex.Fingerprint(entry.CustomId);
            if (_waiting is null)
            {
                int place = _index.Rows.Find(id);
                bool isOfRow = HasRequestOf(entry, place);
                if (isOfRow && _index.Rows.RecordOf(place) is var earlier && earlier != RowIndex.NoRecord)
                {
                    Unstated.Replace(place, earlier);
                }

                Unstated.Add(entry, isOfRow ? place : null, isKept: isOfRow && IsKept(entry));
                NoteAnswer(entry, place);
                See(entry, place);
            }
            else
            {
                Unstated.Add(entry, row: null, isKept: true);
                NoteAnswer(entry, place: -1);
                Store(_waiting, entry, id);
            }
        }
    }

    /// <summary>Determines whether the output holds one record for each row and nothing else, all of which were read, and has not changed
    /// since: there is nothing to read back.</summary>
    public bool HasReadAllOf(string log) => Damaged == 0 && _records == Kept && Kept == _index.Count
        && _stamp is { } read && OutputStamp.Of(log) is { } now && now == read;

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
        else if (earlier >= 0 && _waiting.HasOldFailure(earlier) && _waiting.KeyOf(earlier) is var failed
            && (failed == AnyKey || failed == rows.KeyOf(place)))
        {
            rows.SetOldFailure(place);
        }
    }

    /// <inheritdoc cref="ResumeNotices.Of"/>
    public IEnumerable<(FormattableString Text, bool IsWarning)> Notices(string log, bool isSorted) =>
        _notices.Of(log, isSorted, _index, Kept);

    private static ulong KeyOf(in OutputEntry entry) => entry.Key is { } key ? RowIndex.Fingerprint(key) : AnyKey;

    private bool HasRequestOf(in OutputEntry entry, int place) =>
        place >= 0 && KeyOf(entry) is var key && (key == AnyKey || key == _index.Rows.KeyOf(place));

    private bool IsKept(in OutputEntry entry) => KeepsAll || SettledRows?.Contains(entry.CustomId) == true
        || (entry.Succeeded ? entry.Refresh >= RefreshedSince || !_refresh.Applies(entry.FinishReasons) : !_retryFailed);

    // An equal row finds the answer by its key, also if the row of the record is no longer in the input.
    private void NoteAnswer(in OutputEntry entry, int place)
    {
        if (entry is { Succeeded: true, Key: { } key } && IsKept(entry) && RowIndex.Fingerprint(key) is var fingerprint
            && (place < 0 || _index.Rows.KeyOf(place) != fingerprint || _index.Answers.MayRepeat(fingerprint)))
        {
            _index.Answers.Set(fingerprint, entry.Offset);
        }
    }

    private void See(in OutputEntry entry, int place)
    {
        if (place < 0)
        {
            _notices.AddForeign(entry);
            return;
        }

        if (!HasRequestOf(entry, place))
        {
            _notices.AddOutdated(entry, place < _index.Count ? place : null);
            return;
        }

        bool isKept = IsKept(entry);
        _notices.Trusted += entry.Key is null ? 1 : 0;
        if (place >= _index.Count)
        {
            _index.Rows.SetRecord(place, entry.Offset); // a row beyond the limit: its record stays in the output
            return;
        }

        CountRefreshed(place, entry.Succeeded && !isKept);

        Forget(place);
        if (isKept)
        {
            Keep(place, entry.Offset, isFailure: !entry.Succeeded);
        }
        else if (!entry.Succeeded)
        {
            _index.Rows.SetOldFailure(place);
        }
    }

    // The last record of a row counts. One bit for each row, if any is requested again.
    private void CountRefreshed(int place, bool isRefreshed)
    {
        if (place >= _refreshed.Length)
        {
            if (!isRefreshed)
            {
                return;
            }

            _refreshed.Length = _index.Rows.Count;
        }

        _notices.Refreshed += (isRefreshed ? 1 : 0) - (_refreshed[place] ? 1 : 0);
        _refreshed[place] = isRefreshed;
    }

    // A row that is sent again keeps its record in the file until the new one is written: a kill loses no answer.
    private void Forget(int place)
    {
        RowIndex rows = _index.Rows;
        if (rows.RecordOf(place) != RowIndex.NoRecord)
        {
            Kept--;
            KeptFailures -= rows.IsFailure(place) ? 1 : 0;
        }

        rows.SetRecord(place, RowIndex.NoRecord);
    }

    private void Keep(int place, long record, bool isFailure)
    {
        _index.Rows.SetRecord(place, record, isFailure);
        Kept++;
        KeptFailures += isFailure ? 1 : 0;
    }

    private void Store(RowIndex waiting, in OutputEntry entry, ulong id)
    {
        int place = waiting.Add(id, KeyOf(entry));
        place = place < 0 ? ~place : place;
        waiting.SetKey(place, KeyOf(entry));
        waiting.SetRecord(place, IsKept(entry) ? entry.Offset : RowIndex.NoRecord, isFailure: !entry.Succeeded);
        if (!IsKept(entry) && !entry.Succeeded)
        {
            waiting.SetOldFailure(place);
        }
    }
}
