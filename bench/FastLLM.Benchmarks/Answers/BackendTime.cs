using System.Globalization;
using Npgsql;

namespace FastLLM.Benchmarks.Answers;

/// <summary>The CPU time of the server's processes, where it runs on this machine.</summary>
internal sealed class BackendTime : IAsyncDisposable
{
    private const double TicksPerSecond = 100; // USER_HZ, which is the same on every Linux

    private readonly NpgsqlConnection _connection;

    private BackendTime(NpgsqlConnection connection) => _connection = connection;

    public static async Task<BackendTime> OpenAsync(string store)
    {
        var connection = new NpgsqlConnection(store);
        await connection.OpenAsync();
        return new BackendTime(connection);
    }

    public async Task<string> SettingAsync(string name)
    {
        await using var command = new NpgsqlCommand($"show {name}", _connection);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Returns the seconds so far, also of processes that have ended.</summary>
    public async Task<double> TakeAsync()
    {
        await using var command = new NpgsqlCommand("select pid from pg_stat_activity where pid is not null", _connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        double ticks = 0;
        var server = 0;
        while (await reader.ReadAsync())
        {
            if (await FieldsOfAsync(reader.GetInt32(0)) is { } fields)
            {
                ticks += fields[11] + fields[12];
                server = (int)fields[1];
            }
        }

        // Of those that have ended, their parent has the sum.
        return (ticks + (await FieldsOfAsync(server) is { } parent ? parent[13] + parent[14] : 0)) / TicksPerSecond;
    }

    // The fields of /proc/PID/stat after the name; the state, which is a letter, is 0.
    private static async Task<double[]?> FieldsOfAsync(int pid)
    {
        string file = string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat");
        return pid == 0 || !File.Exists(file) ? null
            : [.. (await File.ReadAllTextAsync(file)).Split(") ")[^1].Split(' ')
                .Select(field => double.TryParse(field, CultureInfo.InvariantCulture, out double value) ? value : 0)];
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
