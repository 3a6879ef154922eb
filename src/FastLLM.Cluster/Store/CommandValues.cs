using Npgsql;

namespace FastLLM.Cluster.Store;

/// <summary>Gives commands the values of their parameters <c>$1</c>, <c>$2</c> …</summary>
internal static class CommandValues
{
    /// <summary>Adds values, in the order of the parameters.</summary>
    public static void AddValues(this NpgsqlParameterCollection parameters, params ReadOnlySpan<object?> values)
    {
        foreach (object? value in values)
        {
            parameters.Add(new NpgsqlParameter { Value = value ?? DBNull.Value });
        }
    }

    /// <summary>Adds a command with its values.</summary>
    public static void Add(this NpgsqlBatch batch, string sql, params ReadOnlySpan<object?> values)
    {
        var command = new NpgsqlBatchCommand(sql);
        command.Parameters.AddValues(values);
        batch.BatchCommands.Add(command);
    }

    /// <summary>Adds limits to the transaction of a batch, which locks what others wait for: they must not wait for a client that is
    /// frozen.</summary>
    public static void AddTransactionLimits(this NpgsqlBatch batch)
    {
        batch.Add("set local lock_timeout = '5s'");
        batch.Add("set local statement_timeout = '10s'");
        batch.Add("set local idle_in_transaction_session_timeout = '3s'");
    }
}
