using FastLLM.Caching;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Output;

namespace FastLLM;

// What an earlier run left: which rows stand finished in the output, and which have to be asked again.
public sealed partial class Job
{
    private readonly RowIndex _earlier = new();
    private readonly HashSet<long> _earlierFailures = [];
    private readonly RefreshRule _refresh;
    private long _kept;
    private long _keptFailures;

    private void Resume(OutputFile output)
    {
        if (!output.IsOutput())
        {
            throw new IOException($"{_shape.Log} is there already, and is no output of a run. Name another file, or give --fresh to put it aside.");
        }

        if (output.RepairTornTail() is > 0 and var cut)
        {
            Say($"The last line of {_shape.Log} was torn; its {cut:N0} bytes are kept in {_shape.Log}.torn, and the row is asked again.");
        }

        long damaged = 0, changed = 0, foreign = 0, trusted = 0, refreshed = 0;
        foreach (OutputEntry entry in output.Scan())
        {
            if (entry.IsDamaged)
            {
                damaged++;
                continue;
            }

            _recorded += entry.Cost ?? 0;

            ulong id = RowIndex.Fingerprint(entry.CustomId);
            int place = _table.Find(id);
            bool isToRefresh = IsToRefresh(entry);
            if (InputIsPipe)
            {
                RememberEarlier(id, entry, isToRefresh);
            }
            else if (place < 0)
            {
                foreign++;
            }
            else if (entry.Key is { } key && RowIndex.Fingerprint(key) != _table.KeyOf(place))
            {
                changed++;
            }
            else
            {
                trusted += entry.Key is null ? 1 : 0;
                refreshed += isToRefresh ? 1 : 0;
                Keep(place, entry.Offset, entry.Succeeded, isToRefresh);
            }
        }

        // Records that the sort drops take their costs with them. It costs another look at the file, so only where one may.
        _mayDropCosts = _recorded > 0;
        if (damaged > 0)
        {
            File.Copy(_shape.Log, _shape.Log + ".damaged", overwrite: true);
        }

        SayIf(damaged, $"{damaged:N0} lines of {_shape.Log} are no records and are passed over; the file as it was is kept as {_shape.Log}.damaged.");
        SayIf(refreshed, $"{refreshed:N0} rows of {_shape.Log} are asked again because of how their answers ended (--refresh).");
        SayIf(changed, $"{changed:N0} records of {_shape.Log} answer a question that has changed since; those rows are asked again.");
        SayIf(foreign, $"{foreign:N0} records of {_shape.Log} belong to no row of the input; they are dropped when the run is done.");
        SayIf(trusted, $"{trusted:N0} rows of {_shape.Log} have no key of ours and are trusted by their id. To ask them again: --fresh.");
        SayIf(_kept == _rows ? 0 : _kept, $"{_kept:N0} of {_rows:N0} rows stand finished in {_shape.Log} and are not sent again.");
    }

    private bool IsToRefresh(in OutputEntry entry) => entry.Succeeded && _refresh.Applies(entry.FinishReasons);

    // A later record of a row counts, whatever an earlier one said.
    private void Keep(int place, long offset, bool succeeded, bool isToRefresh = false)
    {
        // Rows behind the limit keep their records, but are none of this run's business.
        bool counts = InputIsPipe || place < _rows;
        if (_table.RecordOf(place) is >= 0 and var before && counts)
        {
            _kept--;
            _keptFailures -= _earlierFailures.Remove(before) ? 1 : 0;
        }

        // One that is asked again keeps its record in the file until the new one is there: a kill loses no answer.
        bool isKept = (!isToRefresh && (succeeded || !_options.RetryFailed)) || !counts;
        _table.SetRecord(place, isKept ? offset : RowIndex.NoRecord);
        if (!isKept || !counts)
        {
            return;
        }

        _kept++;
        if (!succeeded)
        {
            _keptFailures++;
            _earlierFailures.Add(offset);
        }
    }

    // The rows of a pipe are not known yet: what the output holds waits for them.
    private void RememberEarlier(ulong id, in OutputEntry entry, bool isToRefresh)
    {
        ulong key = entry.Key is { } known ? RowIndex.Fingerprint(known) : RowIndex.NoKey;
        int place = _earlier.Add(id, key);
        place = place < 0 ? ~place : place;
        _earlier.SetKey(place, key);
        _earlier.SetRecord(place, isToRefresh ? RowIndex.NoRecord : entry.Offset);
        if (!entry.Succeeded)
        {
            _earlierFailures.Add(entry.Offset);
        }
    }

    private void TakeOver(int place)
    {
        int earlier = _earlier.Find(_table.IdOf(place));
        if (earlier >= 0 && (_earlier.KeyOf(earlier) == RowIndex.NoKey || _earlier.KeyOf(earlier) == _table.KeyOf(place)))
        {
            long offset = _earlier.RecordOf(earlier);
            if (offset != RowIndex.NoRecord)
            {
                Keep(place, offset, succeeded: !_earlierFailures.Contains(offset));
            }
        }
    }

    private void SayIf(long count, FormattableString notice)
    {
        if (count > 0)
        {
            Say(notice);
        }
    }
}
