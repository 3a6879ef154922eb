using System.Diagnostics;
using System.Globalization;
using System.Text;
using FastLLM.Benchmarks.Candidates;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Load;

/// <summary>S11. Question: what do a request's identity, and the request as a whole, cost?</summary>
internal static class KeyAndAllocations
{
    private const int Keys = 20_000;

    private static readonly Size s_full = new(Requests: 100_000, Warmup: 20_000, Pairs: 1, InFlight: 100);
    private static readonly Size s_tiny = new(Requests: 2_000, Warmup: 500, Pairs: 1, InFlight: 100);

    public static async Task<Figure> MeasureAsync(Flags flags)
    {
        Size size = s_full.For(flags, s_tiny);
        Spread key = KeyTime();
        await using ServerProcess server = await ServerProcess.StartAsync();
        var engine = new Engine();
        await Round.RunAsync(engine, server.ApiBase, size.Warmup, size.InFlight);
        Round round = await Round.RunAsync(engine, server.ApiBase, size.Requests, size.InFlight);
        int answer = AnswerBytes();
        return new Figure("S11", "key of a 1 KB body; allocations per request everything on", "≤ 3 µs; ≤ 4 KB", "≤ 1.5 µs; ≤ 2.5 KB without the answer",
            string.Create(CultureInfo.InvariantCulture, $"{key.Print()} µs; {round.Bytes:N0} B, {round.Bytes - answer:N0} B without the answer of {answer} B"));
    }

    private static Spread KeyTime()
    {
        byte[] body = OneKilobyte();
        var rounds = new List<double>();
        for (int round = 0; round < 12; round++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Keys; i++)
            {
                body[^5] = (byte)('a' + (i % 26)); // inside the prompt
                RequestKey.Compute(Endpoints.ChatCompletions, body);
            }

            rounds.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds / Keys);
            Thread.Sleep(50); // the compiler's better code comes in between
        }

        return Spread.Of(rounds.Skip(5));
    }

    private static byte[] OneKilobyte()
    {
        const string head = """{"model":"m","temperature":0.7,"max_completion_tokens":256,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":" """;
        const string tail = "\"}]}";
        return Encoding.UTF8.GetBytes(head + new string('x', 1024 - head.Length - tail.Length) + tail);
    }

    private static int AnswerBytes() => Simulator.SimulatorAnswers.ChatCompletion(Engine.Build(new Workload(1))[0].Body.Span, compact: true).Length;
}
