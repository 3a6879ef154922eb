using FastLLM.Costs;
using FastLLM.Jobs.Output;
using FastLLM.Pipeline;

namespace FastLLM;

// What the job has cost: all runs that built this output, also where no record tells it.
public sealed partial class Job
{
    private const int NamedUnbounded = 3;

    private decimal _recorded; // what records tell that stood in the output before this run
    private decimal _written;  // what records of this run tell
    private RunSettings _settings = new();
    private bool _isAborted;
    private bool _mayDropCosts;

    // A run that ends otherwise has waited for its sends: what is still set aside then, was not sent.
    private decimal Paid => _run?.Cost(withReserved: _isAborted) ?? 0;

    // A budget is of no use if rows turn out in the middle of a run to have no bound.
    private void RefuseUnbounded(long count, List<string> examples)
    {
        if (count > 0)
        {
            string more = count > examples.Count ? FormattableString.Invariant($"{Environment.NewLine}… and {count - examples.Count:N0} more") : "";
            throw new InvalidDataException(
                FormattableString.Invariant($"{count:N0} rows of {_options.Input} cannot be sent under a budget; nothing was sent.{Environment.NewLine}{string.Join(Environment.NewLine, examples)}{more}"));
        }
    }

    private void BeginMoney(CostJournal spent)
    {
        spent.Read();
        if (spent.InFlight is { } inFlight)
        {
            Say($"An earlier run of {_options.Output} was killed. At most ${inFlight:0.##########} were in flight then and may be paid without a record; they are not counted.");
        }

        _settings = new RunSettings { EarlierCost = _recorded + spent.Unrecorded, AnnounceInFlight = inFlight => Announce(spent, inFlight) };
    }

    private static void Announce(CostJournal spent, decimal inFlight)
    {
        try
        {
            spent.Announce(inFlight);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LlmException(FailureKind.Output, $"{spent.Path}, which says what may be in flight, cannot be written: {e.Message}", e);
        }
    }

    // What was paid and what records tell: the difference is kept beside them.
    private JobResult EndMoney(CostJournal spent, OutputFile output, JobResult result, bool isSorted)
    {
        decimal job = _recorded + spent.Unrecorded + Paid;
        decimal told = isSorted && _mayDropCosts ? output.Scan().Sum(entry => entry.Cost ?? 0) : _recorded + _written;
        try
        {
            spent.Settle(Math.Max(0, job - told));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Say($"{spent.Path} could not be written ({e.Message}): of this job, ${Math.Max(0, job - told):0.##########} that stand in no record will not be known to the next run.");
        }

        return result with { JobCost = job };
    }

    private void NoteWritten(ResponseWrapper outcome)
    {
        if (_options.IncludeMetadata && outcome.Cost is { } cost and > 0)
        {
            _written += cost;
            _run!.RecordCost(cost);
        }
    }
}
