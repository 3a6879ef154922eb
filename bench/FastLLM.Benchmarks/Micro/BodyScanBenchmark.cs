using System.Text.Json;
using BenchmarkDotNet.Attributes;
using FastLLM.Benchmarks.Candidates;
using FastLLM.Json;
using FastLLM.Simulator;

namespace FastLLM.Benchmarks.Micro;

/// <summary>Question: what does it cost to tell a finished answer and its usage, compared with parsing all of it?</summary>
[MemoryDiagnoser]
public class BodyScanBenchmark
{
    private byte[] _answer = [];

    [GlobalSetup]
    public void Setup() => _answer = SimulatorAnswers.ChatCompletion(Engine.Build(new Workload(1))[0].Body.Span, compact: true);

    [Benchmark(Baseline = true)]
    public long Document()
    {
        using JsonDocument document = JsonDocument.Parse(_answer);
        return document.RootElement.GetProperty("usage").GetProperty("total_tokens").GetInt64();
    }

    [Benchmark] public long Scan() => BodyScan.Read(_answer).Usage.TotalTokens;
}
