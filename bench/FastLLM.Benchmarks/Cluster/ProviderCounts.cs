using System.Text.Json;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>What the simulated provider has counted.</summary>
internal static class ProviderCounts
{
    public static async Task<long> SendsAsync(ServerProcess provider)
    {
        using var http = new HttpClient();
        using JsonDocument stats = JsonDocument.Parse(
            await http.GetStringAsync(new Uri(provider.ApiBase.Replace("/v1", "/simulator/stats", StringComparison.Ordinal))));
        return stats.RootElement.GetProperty("sends").GetInt64();
    }
}
