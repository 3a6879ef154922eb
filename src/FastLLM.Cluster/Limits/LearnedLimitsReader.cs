using System.Text.Json;
using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Store;
using FastLLM.RateLimiting;
using Npgsql;

namespace FastLLM.Cluster.Limits;

/// <summary>Reads the limits that all workers together have learned, for those who watch a job.</summary>
internal sealed class LearnedLimitsReader(ClusterStore store)
{
    private const string Load = """
        select model, state, extract(epoch from clock_timestamp())::float8 from fastllm.limits where endpoint = $1 order by model
        """;

    /// <summary>Returns where the requests of a job go, and for which account: the variable of the key names it.</summary>
    public static string EndpointOf(JobSpec spec) => $"{spec.BaseUrl} {spec.KeyVariable}";

    /// <summary>Gets the limits of an endpoint, by model. What is so old that it is forgotten is omitted.</summary>
    public async Task<IReadOnlyList<LearnedLimits>> ReadAsync(string endpoint, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(Load, endpoint);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        List<LearnedLimits> known = [];
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            LimitState state = JsonSerializer.Deserialize(reader.GetString(1), LimitJson.Default.LimitState)!;
            if (LimitAllocator.KnownAt(state, reader.GetDouble(2)) is { } law && Of(reader.GetString(0), law) is { } limits)
            {
                known.Add(limits);
            }
        }

        return known;
    }

    private static LearnedLimits? Of(string model, LearnedLaw law) =>
        law is { InFlight: null, PerSecond: null, RandomShare: 0 } ? null : new LearnedLimits
        {
            Model = model,
            RefusedAtRandom = law.RandomShare,
            InFlight = law.InFlight is { } most ? Math.Max(1, (int)most) : null,

            // A rate is held just below the limit; what is refused at random comes on top.
            RequestsPerSecond = law.PerSecond * (1 - law.RandomShare) / MorePerSecond.Below,
        };
}
