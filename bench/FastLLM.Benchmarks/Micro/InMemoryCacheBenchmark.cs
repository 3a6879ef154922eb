using BenchmarkDotNet.Attributes;
using FastLLM.Benchmarks.Candidates;
using FastLLM.Pipeline;

namespace FastLLM.Benchmarks.Micro;

/// <summary>Question: what do look-up and storing cost where 100,000 answers are held, compared with a plain dictionary?</summary>
[MemoryDiagnoser]
public class InMemoryCacheBenchmark : IAsyncDisposable
{
    private const int Entries = 100_000;
    private const string Scope = "http://localhost/v1";

    private static readonly byte[] s_body = new byte[800];

    private readonly InMemoryCache _cache = new();
    private readonly Dictionary<RequestKey, CacheEntry> _dictionary = [];
    private readonly RequestKey[] _keys = new RequestKey[Entries];
    private int _next;

    [GlobalSetup]
    public async Task Setup()
    {
        RequestBatch batch = Engine.Build(new Workload(Entries));
        for (int i = 0; i < Entries; i++)
        {
            _keys[i] = batch[i].Key;
            _dictionary[_keys[i]] = Entry();
            await _cache.PutAsync(_keys[i], Entry());
        }
    }

    [GlobalCleanup] public ValueTask DisposeAsync() => _cache.DisposeAsync();

    [Benchmark(Baseline = true)] public bool Dictionary() => _dictionary.TryGetValue(Next(), out _);

    [Benchmark] public ValueTask<CacheEntry?> Get() => _cache.GetAsync(Next(), Scope);

    [Benchmark] public ValueTask PutAgain() => _cache.PutAsync(Next(), Entry());

    private static CacheEntry Entry() => new(s_body, Scope, 200, DateTimeOffset.UnixEpoch);

    private RequestKey Next() => _keys[_next = (_next + 1) % Entries];
}
