using System.Globalization;

namespace FastLLM.TestKit.Crash;

/// <summary>One job that is killed again and again, run to its end, and looked at from outside after each death: by the ledger, by OUTPUT, by the cache.</summary>
public sealed class CrashJob : IAsyncDisposable
{
    private readonly CrashOptions _options;
    private readonly int _number;
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-crash-").FullName;
    private readonly SimulatorProcess _simulator;
    private readonly CrashInput _input;
    private readonly Dictionary<string, Life> _lastSentBy = [];
    private readonly List<Life> _lives = [];
    private readonly List<string> _violations = [];
    private SentLedger _ledger = SentLedger.Parse([]);

    private CrashJob(CrashOptions options, int number, SimulatorProcess simulator)
    {
        _options = options;
        _number = number;
        _simulator = simulator;
        _input = new CrashInput(options.Rows, string.Create(CultureInfo.InvariantCulture, $"job {number}"));
        _input.Write(Path.Combine(_folder, "in.jsonl"));
    }

    public IReadOnlyList<Life> Lives => _lives;

    /// <summary>Gets what should not have been, in words.</summary>
    public IReadOnlyList<string> Violations => _violations;

    /// <summary>Gets a value indicating whether the last process ended by itself, with every row answered.</summary>
    public bool IsFinished => _lives is [.., { WasKilled: false }];

    private string Output => Path.Combine(_folder, "out.jsonl");

    private string Cache => Path.Combine(_folder, "cache");

    public static async Task<CrashJob> CreateAsync(CrashOptions options, int number) =>
        new(options, number, await SimulatorProcess.StartAsync(options.Latency, options.Seed + number));

    /// <summary>Starts the tool, lets it die at a random moment, and looks at what is left.</summary>
    /// <returns>Whether it was still alive at that moment.</returns>
    public async Task<bool> DieAtRandomAsync(Random random)
    {
        // One in four while it starts, opens and recovers; the others while it sends and writes.
        bool atStart = random.Next(4) == 0;
        TimeSpan delay = random.NextDouble() * (atStart ? TimeSpan.FromMilliseconds(400) : _options.JobTime / 4);
        return (await LiveAsync("random", null, async process =>
        {
            long before = LengthOf(Output);
            if (!atStart)
            {
                await FileSignal.WaitAsync(_folder, () => LengthOf(Output) != before, process.Ended);
            }

#pragma warning disable RS0030 // waits for nothing: the moment is to be a random one
            await Task.Delay(delay);
#pragma warning restore RS0030
            process.Kill();
        })).WasKilled;
    }

    /// <summary>Starts the tool so that it dies when it comes to a place the n-th time.</summary>
    /// <returns>Whether it came there.</returns>
    public async Task<bool> DieAtAsync(string point, int times) =>
        (await LiveAsync(point, string.Create(CultureInfo.InvariantCulture, $"{point}:{times}"), null)).WasKilled;

    /// <summary>Runs to the end, if that has not come by itself, and checks what must hold then.</summary>
    public async Task FinishAsync()
    {
        if (!IsFinished)
        {
            await LiveAsync("-", null, null);
        }

        CheckFinished();

        // I6: whoever resumes what is done sends nothing, and leaves it as it is.
        for (var i = 0; i < 2; i++)
        {
            byte[] before = await File.ReadAllBytesAsync(Output);
            await ExpectSendsAsync(0, "a resume of the finished job");
            byte[] after = await File.ReadAllBytesAsync(Output);
            Expect(before.AsSpan().SequenceEqual(after), "a resume of the finished job changed OUTPUT");
        }

        if (!_options.WithoutCache)
        {
            await LoseOneStoreAsync();
        }
    }

    // Cache and OUTPUT stand in for each other, and neither for another endpoint.
    private async Task LoseOneStoreAsync()
    {
        IEnumerable<string?> bodies = OutputSnapshot.Read(Output).Records.Select(record => record.Body);
        File.Move(Output, Output + ".first");
        await ExpectSendsAsync(0, "the job without its OUTPUT");
        Expect(OutputSnapshot.Read(Output).Records.Select(record => record.Body).SequenceEqual(bodies), "the job without its OUTPUT wrote other bodies");

        // Once is enough: it takes as long as a whole job.
        if (_number == 1)
        {
            await using SimulatorProcess other = await SimulatorProcess.StartAsync(_options.Latency, _options.Seed);
            File.Move(Output, Output + ".here");
            await ExpectSendsAsync(_input.Rows.Count, "the job at another endpoint", other);
            File.Move(Output + ".here", Output, overwrite: true);
        }

        Directory.Delete(Cache, recursive: true);
        await ExpectSendsAsync(0, "the job without its cache");
    }

    public async ValueTask DisposeAsync()
    {
        await _simulator.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static long LengthOf(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;

    private IEnumerable<string> Arguments(string apiBase) =>
    [
        "run", "in.jsonl", "-o", "out.jsonl", "--base-url", apiBase, "--quiet",
        "--concurrency", _options.Slots.ToString(CultureInfo.InvariantCulture), .. _options.CacheArguments(Cache),
    ];

    private async Task<Life> LiveAsync(string cause, string? killPoint, Func<ToolProcess, Task>? kill)
    {
        int exit;
        string messages;
        using (ToolProcess process = ToolProcess.Start(_folder, killPoint, Arguments(_simulator.ApiBase)))
        {
            if (kill is not null)
            {
                await kill(process);
            }

            (exit, messages) = await process.WaitAsync(_options.MaxTime);
            DateTimeOffset ended = DateTimeOffset.UtcNow;
            int sentBefore = _ledger.Requests.Count;
            _ledger = await _simulator.LedgerAsync();
            Sent[] sends = [.. _ledger.Requests.Skip(sentBefore)];
            OutputSnapshot output = OutputSnapshot.Read(Output);
            IReadOnlyDictionary<string, OutputRecordSeen> acknowledged = Acknowledged(output);
            CacheSnapshot? cache = _options.WithoutCache ? null : await CacheSnapshot.ReadAsync(Cache, _input, new OpenAIProvider("", _simulator.ApiBase).CacheScope);
            IReadOnlySet<string> stored = cache?.Answers.Keys.ToHashSet() ?? acknowledged.Keys.Select(id => _input.ById(id)?.Sha256 ?? id).ToHashSet();
            var life = new Life
            {
                Job = _number,
                Number = _lives.Count + 1,
                Cause = cause,
                WasKilled = exit == ToolProcess.Killed,
                Exit = exit,
                Lasted = ended - process.Started,
                Sends = sends,
                Acknowledged = acknowledged,
                Stored = stored,
                TornTail = output.TornBytes > 0,
                TimeToFirstSend = sends is [var first, ..] ? first.At - process.Started : null,
            };
            _lives.Add(life);
            Expect(life.WasKilled || exit == 0, $"the tool ended with {exit}: {messages}");
            CheckCache(life, cache);
            CheckLife(life, _lives is [.., var before, _] ? before : null);
            return life;
        }
    }

    private void CheckCache(Life life, CacheSnapshot? cache)
    {
        foreach (string repair in cache?.Repairs ?? [])
        {
            Violate($"the cache had to be mended: {repair}");
        }

        // I4: the server gave each answer that is kept to that very request.
        foreach ((string request, string answer) in cache?.Answers ?? new Dictionary<string, string>())
        {
            if (!_ledger.Holds(request, answer))
            {
                life.Foreign++;
                Violate($"the cache has an answer to row {_input.ByBody(request)!.Id} that the server never gave to it");
            }
        }
    }

    private void CheckLife(Life life, Life? before)
    {
        foreach ((string id, OutputRecordSeen record) in life.Acknowledged)
        {
            if (_input.ById(id) is not { } row || record.Body is null || !_ledger.Holds(row.Sha256, record.Body))
            {
                life.Foreign++;
                Violate($"OUTPUT has a row {id} whose answer the server never gave to it");
            }
            else if (!life.Stored.Contains(row.Sha256))
            {
                life.Lost++;
                Violate($"row {id} is in OUTPUT, and not in the cache");
            }
        }

        // I1: what was acknowledged is there, byte for byte.
        foreach ((string id, OutputRecordSeen record) in before?.Acknowledged ?? new Dictionary<string, OutputRecordSeen>())
        {
            if (!life.Acknowledged.TryGetValue(id, out OutputRecordSeen? now) || now.Line != record.Line)
            {
                before!.Lost++;
                Violate($"row {id} stood in OUTPUT before, and does not any more");
            }
        }

        foreach (string body in before?.Stored ?? new HashSet<string>())
        {
            if (!life.Stored.Contains(body))
            {
                before!.Lost++;
                Violate($"row {_input.ByBody(body)!.Id} was stored before, and is not any more");
            }
        }

        // I2: only what was sent and not stored is sent again, and once.
        var sentNow = new HashSet<string>();
        foreach (Sent sent in life.Sends)
        {
            string id = _input.ByBody(sent.Body)?.Id ?? "unknown";
            Expect(sentNow.Add(sent.Body), $"row {id} was sent twice by one process");
            Expect(before?.Stored.Contains(sent.Body) is not true, $"row {id} was stored, and was sent again");
            if (_lastSentBy.TryGetValue(sent.Body, out Life? last))
            {
                last.SentAgain++;
            }

            _lastSentBy[sent.Body] = life;
        }
    }

    private void CheckFinished()
    {
        Expect(IsFinished, "the job did not come to its end");
        Expect(!_lives[^1].TornTail, "OUTPUT ends with a torn line");

        // I3: every row once, in the order of the input, and answered.
        IReadOnlyList<OutputRecordSeen> records = OutputSnapshot.Read(Output).Records;
        Expect(records.Select(record => record.Id).SequenceEqual(_input.Rows.Select(row => row.Id)), "OUTPUT does not have every row once, in order");
        Expect(records.All(record => record.Body is not null), "OUTPUT has failed rows");
    }

    private async Task ExpectSendsAsync(int count, string what, SimulatorProcess? elsewhere = null)
    {
        using ToolProcess process = ToolProcess.Start(_folder, null, Arguments((elsewhere ?? _simulator).ApiBase));
        (int exit, string messages) = await process.WaitAsync(_options.MaxTime);
        Expect(exit == 0, $"{what} ended with {exit}: {messages}");
        int before = elsewhere is null ? _ledger.Requests.Count : 0;
        SentLedger ledger = await (elsewhere ?? _simulator).LedgerAsync();
        _ledger = elsewhere is null ? ledger : _ledger;
        Expect(ledger.Requests.Count - before == count, $"{what} sent {ledger.Requests.Count - before} rows, not {count}");
    }

    // What OUTPUT says of each row: the last record counts.
    private static Dictionary<string, OutputRecordSeen> Acknowledged(OutputSnapshot output)
    {
        var acknowledged = new Dictionary<string, OutputRecordSeen>();
        foreach (OutputRecordSeen record in output.Records)
        {
            acknowledged[record.Id] = record;
        }

        return acknowledged;
    }

    private void Expect(bool holds, string otherwise)
    {
        if (!holds)
        {
            Violate(otherwise);
        }
    }

    private void Violate(string what) =>
        _violations.Add(string.Create(CultureInfo.InvariantCulture, $"seed {_options.Seed}, job {_number}, process {_lives.Count} ({(_lives is [.., var last] ? last.Cause : "-")}): {what}"));
}
