using Npgsql;
using NpgsqlTypes;

namespace FastLLM.Cluster.Caching;

/// <summary>Adds typed parameters to commands: arrays hold one value for each item of a group.</summary>
internal static class Parameters
{
    public static NpgsqlParameterCollection Keys(this NpgsqlParameterCollection all, byte[][] values) =>
        all.With(values, NpgsqlDbType.Array | NpgsqlDbType.Bytea);

    public static NpgsqlParameterCollection Numbers(this NpgsqlParameterCollection all, long[] values) =>
        all.With(values, NpgsqlDbType.Array | NpgsqlDbType.Bigint);

    public static NpgsqlParameterCollection Numbers(this NpgsqlParameterCollection all, long?[] values) =>
        all.With(values, NpgsqlDbType.Array | NpgsqlDbType.Bigint);

    public static NpgsqlParameterCollection With<T>(this NpgsqlParameterCollection all, T value, NpgsqlDbType type)
    {
        all.Add(new NpgsqlParameter<T> { TypedValue = value, NpgsqlDbType = type });
        return all;
    }
}
