using System.Globalization;
using System.Text;
using FastLLM.Pipeline;

namespace FastLLM.TestKit.Crash;

/// <summary>What a proof found: a line for each cause of death, and whatever should not have been.</summary>
public sealed class CrashReport(CrashOptions options)
{
    // The longest that an answer waits for its record, on a busy machine.
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(100);

    private readonly List<Life> _deaths = [];
    private readonly List<Life> _resumes = [];
    private readonly List<string> _violations = [];

    public IReadOnlyList<string> Violations => _violations;

    public int Kills => _deaths.Count;

    public int Lost { get; private set; }

    public int Foreign { get; private set; }

    public void Violate(string what) => _violations.Add(what);

    public void Add(CrashJob job)
    {
        _violations.AddRange(job.Violations);
        Lost += job.Lives.Sum(life => life.Lost);
        Foreign += job.Lives.Sum(life => life.Foreign);
        _deaths.AddRange(job.Lives.Where(life => life.WasKilled));
        _resumes.AddRange(job.Lives.Skip(1).Where(life => life.TimeToFirstSend is not null));
        foreach (Life life in job.Lives.Where(life => life.SentAgain > Bound(life)))
        {
            Violate($"seed {options.Seed}, job {life.Job}, process {life.Number} ({life.Cause}): {life.SentAgain} rows were sent again, more than {Bound(life)}");
        }

        options.Say(string.Create(CultureInfo.InvariantCulture, $"job {job.Lives[0].Job}: {job.Lives.Count(life => life.WasKilled)} kills ({string.Join(", ", job.Lives.Select(life => life.Cause).Distinct())}), {job.Violations.Count} violations"));
    }

    /// <summary>The table, as Markdown.</summary>
    public string Table()
    {
        var table = new StringBuilder();
        table.AppendLine("| Killed | Kills | Rows in OUTPUT then (median) | Lost | Foreign | Sent again: median, most | Bound (most) | Answered, not stored: median, most | Torn tails | First send after restart: median, most (ms) |");
        table.AppendLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach (IGrouping<string, Life> cause in _deaths.GroupBy(life => life.Cause))
        {
            Row(table, cause.Key, [.. cause]);
        }

        Row(table, "all", _deaths);
        return table.ToString();
    }

    /// <summary>A line for each kill.</summary>
    public string Csv()
    {
        var csv = new StringBuilder("seed,job,process,cause,lived_ms,acknowledged,lost,foreign,stored,sent,in_flight,sent_again,bound,received_uncommitted,torn_tail,first_send_ms\n");
        foreach (Life life in _deaths)
        {
            csv.AppendLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{options.Seed},{life.Job},{life.Number},{life.Cause},{life.Lasted.TotalMilliseconds:0},{life.Acknowledged.Count},{life.Lost},{life.Foreign},{life.Stored.Count},{life.Sends.Count},{life.InFlight},{life.SentAgain},{Bound(life)},{life.ReceivedUncommitted},{(life.TornTail ? 1 : 0)},{life.TimeToFirstSend?.TotalMilliseconds:0}"));
        }

        return csv.ToString();
    }

    // What may be sent again: whatever held a slot, and whatever waited for its record. A process that got no processor for a while finds all its slots
    // answered at once, and sends as many more before the first of them is recorded. Without a cache nothing holds sends back until rows are written: then
    // it may be more often than once.
    private int Bound(Life life) => options.Slots + Math.Max(options.Slots * (options.WithoutCache ? 4 : 1), life.AnswersWithin(Window));

    private void Row(StringBuilder table, string cause, List<Life> deaths)
    {
        List<Life> resumes = [.. _resumes.Where(life => cause == "all" || deaths.Any(death => death.Job == life.Job && death.Number == life.Number - 1))];
        table.AppendLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {cause} | {deaths.Count} | {Median(deaths, life => life.Acknowledged.Count)} | {deaths.Sum(life => life.Lost)} | {deaths.Sum(life => life.Foreign)} | {MedianAndMost(deaths, life => life.SentAgain)} | {deaths.Select(Bound).DefaultIfEmpty().Max()} | {MedianAndMost(deaths, life => life.ReceivedUncommitted)} | {deaths.Count(life => life.TornTail)} | {MedianAndMost(resumes, life => (int)life.TimeToFirstSend!.Value.TotalMilliseconds)} |"));
    }

    private static string MedianAndMost(List<Life> lives, Func<Life, int> of) =>
        string.Create(CultureInfo.InvariantCulture, $"{Median(lives, of)}, {lives.Select(of).DefaultIfEmpty().Max()}");

    private static int Median(List<Life> lives, Func<Life, int> of)
    {
        int[] values = [.. lives.Select(of).Order()];
        return values.Length == 0 ? 0 : values[values.Length / 2];
    }
}
