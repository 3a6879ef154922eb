using System.Security.Cryptography;
using System.Text;
using BenchmarkDotNet.Attributes;

namespace FastLLM.Benchmarks.Micro;

/// <summary>Question: what does the canonical form cost on top of the digest that every key needs?</summary>
[MemoryDiagnoser]
public class RequestKeyBenchmark
{
    private byte[] _body = [];

    [Params(1, 64)] public int Kilobytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        const string head = """{"model":"m","temperature":0.7,"max_completion_tokens":256,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":" """;
        const string tail = "\"}]}";
        _body = Encoding.UTF8.GetBytes(head + new string('x', (Kilobytes * 1024) - head.Length - tail.Length) + tail);
    }

    [Benchmark(Baseline = true)] public byte[] Sha256Alone() => SHA256.HashData(_body);

    [Benchmark] public RequestKey Key() => RequestKey.Compute(Endpoints.ChatCompletions, _body);
}
