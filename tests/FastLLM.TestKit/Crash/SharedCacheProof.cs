using System.Globalization;

namespace FastLLM.TestKit.Crash;

/// <summary>Several processes ask the same questions of one cache, one of them is killed, and goes on later.</summary>
public static class SharedCacheProof
{
    // From when an answer has left the server until another process finds it in the cache: received, committed when it is this process's turn, looked up.
    // The usual is less than a tenth of a second. It is reported, not required: a process that has looked may not get a processor to send for any time.
    private static readonly TimeSpan UntilFound = TimeSpan.FromSeconds(5);

    public static async Task<SharedCacheReport> RunAsync(CrashOptions options, int processes)
    {
        string folder = Directory.CreateTempSubdirectory("fastllm-shared-").FullName;
        try
        {
            await using SimulatorProcess simulator = await SimulatorProcess.StartAsync(options.Latency, options.Seed);
            var input = new CrashInput(options.Rows, "shared");
            var random = new Random(options.Seed);
            for (var i = 0; i < processes; i++)
            {
                // Two and two begin at the same row, so that they ask the same at the same time.
                input.Write(Path.Combine(folder, Name("in", i)), i / 2 * options.Rows / processes);
            }

            var violations = new List<string>();
            ToolProcess[] running = [.. Enumerable.Range(0, processes).Select(i => Start(i))];
            int killAt = random.Next(1, options.Rows / 2);
            await FileSignal.WaitAsync(folder, () => OutputSnapshot.Read(Path.Combine(folder, Name("out", 0))).Records.Count >= killAt, running[0].Ended);
            running[0].Kill();
            for (var i = 0; i < processes; i++)
            {
                using ToolProcess process = running[i];
                Expect(i, await process.WaitAsync(options.MaxTime), i == 0 ? ToolProcess.Killed : 0);
            }

            SentLedger ledger = await simulator.LedgerAsync();
            int before = ledger.Requests.Count;
            HashSet<string> stored = [.. (await CacheSnapshot.ReadAsync(Cache(), input, Scope())).Answers.Keys];
            using (ToolProcess again = Start(0))
            {
                Expect(0, await again.WaitAsync(options.MaxTime), 0);
            }

            ledger = await simulator.LedgerAsync();
            violations.AddRange(ledger.Requests.Skip(before).Where(sent => stored.Contains(sent.Body)).Select(sent => $"row {input.ByBody(sent.Body)?.Id} was stored, and was sent again by the process that was killed"));
            CacheSnapshot cache = await CacheSnapshot.ReadAsync(Cache(), input, Scope());
            violations.AddRange(cache.Repairs.Select(repair => $"the cache had to be mended: {repair}"));
            violations.AddRange(input.Rows.Where(row => !cache.Answers.ContainsKey(row.Sha256)).Select(row => $"row {row.Id} is not in the cache"));
            violations.AddRange(cache.Answers.Where(answer => !ledger.Holds(answer.Key, answer.Value)).Select(answer => $"the answer to row {input.ByBody(answer.Key)!.Id} is none that the server gave"));
            string integrity = CacheSnapshot.CheckIntegrity(Cache());
            if (integrity != "ok")
            {
                violations.Add($"integrity_check: {integrity}");
            }

            for (var i = 0; i < processes; i++)
            {
                IReadOnlyList<OutputRecordSeen> records = OutputSnapshot.Read(Path.Combine(folder, Name("out", i))).Records;
                if (records.Select(record => record.Id).Distinct().Count() != options.Rows || records.Count != options.Rows)
                {
                    violations.Add($"process {i} did not write every row once");
                }

                violations.AddRange(records.Where(record => record.Body is null || record.Body != cache.Answers.GetValueOrDefault(input.ById(record.Id)!.Sha256)).Select(record => $"process {i} wrote another answer to {record.Id} than the cache has"));
            }

            (int atOnce, int unanswered, int unexplained, TimeSpan latest) = Explain(ledger);
            return new SharedCacheReport(processes, options.Rows, ledger.Requests.Count, atOnce, unanswered, unexplained, latest, integrity, violations);

            string Cache() => Path.Combine(folder, "cache");

            string Scope() => new OpenAIProvider("", simulator.ApiBase).CacheScope;

            ToolProcess Start(int i) => ToolProcess.Start(
                folder, null, ["run", Name("in", i), "-o", Name("out", i), "--base-url", simulator.ApiBase, "--quiet",
                "--concurrency", options.Slots.ToString(CultureInfo.InvariantCulture), .. options.CacheArguments(Cache())]);

            void Expect(int i, (int Exit, string Messages) end, int exit)
            {
                if (end.Exit != exit)
                {
                    violations.Add($"process {i} ended with {end.Exit}, not {exit}: {end.Messages}");
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Name(string what, int i) => string.Create(CultureInfo.InvariantCulture, $"{what}-{i}.jsonl");

    // Every send of a row after its first: while the first was on its way or waiting for its commit, after one that nobody got an answer to, or for no good reason.
    private static (int AtOnce, int Unanswered, int Unexplained, TimeSpan Latest) Explain(SentLedger ledger)
    {
        int atOnce = 0, unanswered = 0, unexplained = 0;
        TimeSpan latest = default;
        foreach (IGrouping<string, Sent> row in ledger.Requests.GroupBy(sent => sent.Body))
        {
            DateTimeOffset? found = null;
            foreach (Sent sent in row.OrderBy(sent => sent.At))
            {
                if (sent != row.First())
                {
                    unanswered += found is null && row.Where(other => other.At < sent.At).All(other => other.Answer is null) ? 1 : 0;
                    atOnce += found is { } at && sent.At <= at + UntilFound ? 1 : 0;
                    latest = found is { } then && sent.At - then > latest ? sent.At - then : latest;
                    unexplained += found is { } since && sent.At > since + UntilFound ? 1 : 0;
                }

                if (sent.Answer is not null && (found is null || sent.AnsweredAt < found))
                {
                    found = sent.AnsweredAt;
                }
            }
        }

        return (atOnce, unanswered, unexplained, latest);
    }
}

/// <summary>What became of it.</summary>
/// <param name="Processes">How many processes there were.</param>
/// <param name="Rows">How many rows each asked; the same ones.</param>
/// <param name="Sends">How many sends the server saw.</param>
/// <param name="SentAtOnce">Sends of a row whose answer was on its way to another process, or waited for its commit there.</param>
/// <param name="SentUnanswered">Sends of a row that was sent before without an answer, by the process that was killed.</param>
/// <param name="Unexplained">Other sends of a row beyond its first.</param>
/// <param name="Latest">The longest from when an answer had left the server to when another process sent the same row.</param>
/// <param name="Integrity">What SQLite says of the database.</param>
/// <param name="Violations">What should not have been.</param>
public sealed record SharedCacheReport(int Processes, int Rows, int Sends, int SentAtOnce, int SentUnanswered, int Unexplained, TimeSpan Latest, string Integrity, IReadOnlyList<string> Violations)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"| {Processes} | {Rows} | {Sends} | {Sends - Rows} | {SentAtOnce} | {SentUnanswered} | {Unexplained} | {Latest.TotalMilliseconds:0} | {Integrity} |");

    public static string Header =>
        "| Processes, one killed | Rows, the same for all | Sends | Sent more than once | … asked by two at the same time | … unanswered at the kill | … for no reason | Longest from answer to next send (ms) | integrity_check |\n|---|---|---|---|---|---|---|---|---|";
}
