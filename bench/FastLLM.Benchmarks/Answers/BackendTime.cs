using System.Globalization;
using Npgsql;

namespace FastLLM.Benchmarks.Answers;

/// <summary>The CPU time of the server's processes, where it runs on this machine.</summary>
internal sealed class BackendTime : IAsyncDisposable
{
    private const double TicksPerSecond = 100; // USER_HZ, which is the same on every Linux

    private readonly NpgsqlConnection _connection;
    private readonly Dictionary<int, double> _seen = [];
    private double _total;

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

    /// <summary>Returns the seconds so far.</summary>
    public async Task<double> TakeAsync()
    {
        await using var command = new NpgsqlCommand("select pid from pg_stat_activity where pid is not null", _connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            int pid = reader.GetInt32(0);
            string file = string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat");
            if (File.Exists(file))
            {
                string[] fields = (await File.ReadAllTextAsync(file)).Split(") ")[^1].Split(' ');
                double now = (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
                _total += now - _seen.GetValueOrDefault(pid);
                _seen[pid] = now;
            }
        }

        return _total;
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
