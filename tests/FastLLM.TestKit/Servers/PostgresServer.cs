using System.Globalization;

namespace FastLLM.TestKit.Servers;

/// <summary>A PostgreSQL server of its own on a loopback port, with an empty database for each test.</summary>
/// <remarks>One server serves all tests of an assembly; only a test that stops it has one of its own. Tests connect as an ordinary user with a
/// password, who owns the databases. The data survive kills of the server, but not of the machine (fsync is off), unless it is durable.</remarks>
public sealed class PostgresServer : IAsyncDisposable
{
    /// <summary>The user of the tests.</summary>
    public const string User = "fastllm";

    /// <summary>The password of the user.</summary>
    public const string Password = "fastllm-test";

    private const string Superuser = "postgres";

    private static readonly string? s_programs = Programs.FolderOf("initdb", Versions());

    // The server refuses to run as root.
    private static readonly string[] s_asUser = Environment.IsPrivilegedProcess ? ["runuser", "-u", Superuser, "--"] : [];

    private readonly string _folder;
    private readonly bool _isDurable;
    private ServerProcess? _process;
    private int _databases;

    private PostgresServer(string folder, int port, bool isDurable)
    {
        _folder = folder;
        _isDurable = isDurable;
        Port = port;
    }

    /// <summary>Gets a value indicating whether PostgreSQL is installed on this system.</summary>
    public static bool IsInstalled => s_programs is not null;

    /// <summary>Gets the sentence for tests that are skipped without it.</summary>
    public static string Missing => "PostgreSQL is not installed on this system (sudo apt-get install postgresql).";

    /// <summary>Gets its port.</summary>
    public int Port { get; }

    /// <summary>Gets how the user of the tests connects to the database <c>postgres</c>.</summary>
    public string ConnectionString => ConnectionStringOf("postgres");

    private string Data => Path.Combine(_folder, "data");

    /// <summary>Starts a new server.</summary>
    public static Task<PostgresServer> StartAsync() => StartAsync(isDurable: false);

    /// <summary>Starts a new server.</summary>
    /// <param name="isDurable">Whether commits wait for the disk.</param>
    public static async Task<PostgresServer> StartAsync(bool isDurable)
    {
        string folder = Path.Combine(Path.GetTempPath(), $"fastllm-postgres-{Guid.NewGuid():N}");
        await Programs.RunAsync("install", Environment.IsPrivilegedProcess ? ["-d", "-o", Superuser, "-m", "700", folder] : ["-d", "-m", "700", folder]);
        var server = new PostgresServer(folder, LoopbackPort.Take(), isDurable);
        try
        {
            await server.CreateAsync();
            await server.StartAgainAsync();
            await server.ExecuteAsync($"create role {User} login password '{Password}'");
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates an empty database.</summary>
    /// <returns>How the user of the tests, who owns it, connects to it.</returns>
    public async Task<string> CreateDatabaseAsync()
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"test{Interlocked.Increment(ref _databases)}");
        await ExecuteAsync($"create database {name} owner {User}");
        return ConnectionStringOf(name);
    }

    /// <summary>Runs a command as the superuser: for what the user of the tests may not do.</summary>
    public Task ExecuteAsync(string sql, string database = "postgres") => Programs.RunAsync(
        Path.Combine(s_programs!, "psql"),
        ["-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", Port.ToString(CultureInfo.InvariantCulture), "-U", Superuser, "-d", database, "-c", sql]);

    /// <summary>Stops the server and keeps its data. Connections end at once.</summary>
    /// <param name="crash">Whether it ends as if it were killed: what it does then is recovered at the next start.</param>
    public async Task StopAsync(bool crash = false)
    {
        await _process!.StopAsync(crash ? "QUIT" : "INT");
        _process = null;
    }

    /// <summary>Starts the server again, with the same port and data.</summary>
    public async Task StartAgainAsync() => _process = await ServerProcess.StartAsync(
        new ServerStart(
            [Path.Combine(s_programs!, "postgres"), "-D", Data, "-p", Port.ToString(CultureInfo.InvariantCulture),
                "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", $"fsync={(_isDurable ? "on" : "off")}", "-c", "max_connections=200"],
            _folder,
            "INT") { Prefix = s_asUser },
        "ready to accept connections");

    /// <summary>Ends the server and removes its data.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
            _process = null;
        }

        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private static IEnumerable<string> Versions()
    {
        const string Debian = "/usr/lib/postgresql";
        return !Directory.Exists(Debian) ? []
            : Directory.GetDirectories(Debian).OrderByDescending(Path.GetFileName, StringComparer.Ordinal).Select(version => Path.Combine(version, "bin"));
    }

    private async Task CreateAsync()
    {
        string[] command = [.. s_asUser, Path.Combine(s_programs!, "initdb"), "-D", Data, "-U", Superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
        await Programs.RunAsync(command[0], command.Skip(1));
        await File.WriteAllTextAsync(
            Path.Combine(Data, "pg_hba.conf"), $"host all {Superuser} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
    }

    private string ConnectionStringOf(string database) =>
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={Port};Username={User};Password={Password};Database={database}");
}
