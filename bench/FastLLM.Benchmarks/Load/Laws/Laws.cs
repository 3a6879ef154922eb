using System.Globalization;
using System.Text;

namespace FastLLM.Benchmarks.Load.Laws;

/// <summary>S13. Question: does a client without configuration use up what a server allows, whatever law it refuses by?</summary>
/// <remarks>
/// Each client is a process of its own against a server of its own, for 20 to 30 seconds; the figures come from the server's counts.
/// Laws that keep a processor busy run one at a time, the others several at once.
/// </remarks>
internal static class Laws
{
    private const int AtOnce = 4;

    public static async Task<Figure> MeasureAsync(Flags flags)
    {
        IReadOnlyList<LawClient> clients = LawClient.Of(flags);
        LawCase[] cases = Cases(flags);
        var results = new LawResult[cases.Length][];
        foreach (bool heavy in (bool[])[true, false])
        {
            await Parallel.ForEachAsync(
                Enumerable.Range(0, cases.Length).Where(i => cases[i].IsHeavy == heavy),
                new ParallelOptions { MaxDegreeOfParallelism = heavy ? 1 : AtOnce },
                async (i, _) => results[i] = await RunAsync(clients, cases[i]));
        }

        int met = cases.Zip(results).Count(pair => Meets(pair.First, pair.Second[0]));
        int behind = clients.Count < 2 ? 0 : cases.Zip(results).Count(pair => IsBehind(pair.Second[0], pair.Second[^1]));
        string peers = clients.Count < 2 ? "" : $"; behind {clients[^1].Name} in {behind}";
        return new Figure(
            "S13", $"{cases.Length} laws of refusing, nothing configured: goodput / ideal, share refused (table below)",
            "all bars of the table", "the same", $"{met} of {cases.Length} meet their bars{peers}")
        {
            Details = Table(clients, cases, results),
        };
    }

    private static LawCase[] Cases(Flags flags)
    {
        string[] own = flags.All("--throttle");
        if (own.Length > 0)
        {
            return [For(new LawCase(own, flags.Number("--ideal", 100), 0.9, 0.05)
            {
                RetryAfter = flags.Text("--throttle-retry-after"),
                Change = flags.Text("--throttle-at"),
            })];
        }

        string part = flags.Text("--only") ?? "";
        IReadOnlyList<LawCase> all = flags.Has("--tiny") ? LawCase.Tiny : LawCase.All;
        return [.. all.Where(one => one.Name.Contains(part, StringComparison.Ordinal)).Select(For)];

        LawCase For(LawCase one) => one with
        {
            Seconds = flags.Number("--seconds", one.Seconds),
            InFlight = flags.Int("--in-flight", one.InFlight),
        };
    }

    private static async Task<LawResult[]> RunAsync(IReadOnlyList<LawClient> clients, LawCase one)
    {
        var results = new List<LawResult>();
        foreach (LawClient client in clients)
        {
            LawResult result = await client.RunAsync(one);
            Console.WriteLine($"  {one.Name,-50} {client.Name,-12} {Describe(one, result)}");
            results.Add(result);
        }

        return [.. results];
    }

    private static string Table(IReadOnlyList<LawClient> clients, LawCase[] cases, LawResult[][] results)
    {
        var text = new StringBuilder();
        text.AppendLine("S13 in detail. Goodput / ideal: in the whole run, and once the law should be known. Refused: the share of sends");
        text.AppendLine("that other laws than random ones refused, in the whole run, and from then on. Settled: the seconds after which each");
        text.AppendLine("stretch of the run brings 80 % of the ideal. Stalled: the last third brings less than 5 % of it. Machine busy: other");
        text.AppendLine("programs slowed this one down, so that the figures mean little.").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| Law | Ideal/s | Bar | Met | {string.Join(" | ", clients.Select(client => client.Name))} |");
        text.AppendLine(CultureInfo.InvariantCulture, $"|---|---|---|---|{string.Concat(clients.Select(_ => "---|"))}");
        for (int i = 0; i < cases.Length; i++)
        {
            LawCase one = cases[i];
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $"| `{one.Name}` | {one.Ideal:0.#} | ≥ {one.Goodput}, ≤ {one.Refused:P0} | {(Meets(one, results[i][0]) ? "yes" : "no")} "
                + $"| {string.Join(" | ", results[i].Select(result => Describe(one, result)))} |");
        }

        return text.ToString();
    }

    private static string Describe(LawCase one, LawResult result)
    {
        LawTrace trace = result.Trace;
        if (trace.IsEmpty)
        {
            return "sent nothing";
        }

        string settled = trace.Settled(one.Ideal, one.Stretch) is { } seconds
            ? string.Create(CultureInfo.InvariantCulture, $"settled after {seconds:F1} s")
            : "never settled";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{trace.Goodput(0) / one.Ideal:F2}, {trace.Goodput(one.KnownAfter) / one.Ideal:F2} after {one.KnownAfter:0} s; "
            + $"refused {trace.Refused(0):P1}, {trace.Refused(one.QuietAfter):P1} after {one.QuietAfter:0} s; {settled}")
            + (trace.HasStalled(one.Ideal) ? "; stalled" : "")
            + (trace.IsUnsteady ? "; machine busy" : "")
            + (result.Failed is > 0 and var failed ? $"; {failed} rows failed" : "");
    }

    private static bool Meets(LawCase one, LawResult result) =>
        result.Failed is null or 0
        && result.Trace.Goodput(one.KnownAfter) >= one.Goodput * one.Ideal
        && result.Trace.Refused(one.QuietAfter) <= one.Refused;

    // A peer that fails rows has not done the work.
    private static bool IsBehind(LawResult ours, LawResult peers) =>
        peers.Failed is null or 0 && ours.Trace.Goodput(0) < peers.Trace.Goodput(0);
}
