using System.Collections.Concurrent;
using System.Globalization;

namespace FastLLM.TestKit.Servers;

/// <summary>A RabbitMQ server of its own on a loopback port, with a virtual host for each test.</summary>
/// <remarks>One server serves all tests of an assembly; only a test that stops it has one of its own.</remarks>
public sealed class RabbitServer : IAsyncDisposable
{
    /// <summary>The user of the tests.</summary>
    public const string User = "fastllm";

    /// <summary>The password of the user.</summary>
    public const string Password = "fastllm-test";

    private const int AtOnce = 10;

    // Not the wrapper in /usr/sbin, which changes the user.
    private static readonly string? s_programs = Programs.FolderOf("rabbitmqctl", "/usr/lib/rabbitmq/bin");

    private readonly ConcurrentQueue<string> _unused = new();
    private readonly SemaphoreSlim _creating = new(1);
    private readonly string _folder;
    private readonly Dictionary<string, string> _environment;
    private ServerProcess? _process;
    private int _created;

    private RabbitServer(string folder, int port)
    {
        _folder = folder;
        Port = port;
        _environment = EnvironmentOf(folder, port);
    }

    /// <summary>Gets a value indicating whether RabbitMQ is installed on this system.</summary>
    public static bool IsInstalled => s_programs is not null;

    /// <summary>Gets the sentence for tests that are skipped without it.</summary>
    public static string Missing => "RabbitMQ is not installed on this system (sudo apt-get install rabbitmq-server).";

    /// <summary>Gets its port.</summary>
    public int Port { get; }

    /// <summary>Gets the address of its first virtual host, with user and password.</summary>
    public Uri Uri => UriOf("fastllm");

    /// <summary>Starts a new server.</summary>
    public static async Task<RabbitServer> StartAsync()
    {
        string folder = Directory.CreateTempSubdirectory("fastllm-rabbit-").FullName;
        var server = new RabbitServer(folder, LoopbackPort.Take());
        try
        {
            await File.WriteAllTextAsync(
                Path.Combine(folder, "rabbitmq.conf"),
                $"default_user = {User}\ndefault_pass = {Password}\ndefault_vhost = fastllm\nlog.file.level = warning\n");
            await File.WriteAllTextAsync(Path.Combine(folder, "enabled_plugins"), "[].");
            await server.StartAgainAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates a virtual host without queues.</summary>
    /// <returns>Its address, with user and password.</returns>
    public async Task<Uri> CreateVirtualHostAsync()
    {
        await _creating.WaitAsync();
        try
        {
            if (!_unused.TryDequeue(out string? name))
            {
                // Several at once: rabbitmqctl takes half a second, whatever it does.
                await ControlAsync("eval", Create(_created + 1, _created + AtOnce));
                foreach (int number in Enumerable.Range(_created + 1, AtOnce))
                {
                    _unused.Enqueue(string.Create(CultureInfo.InvariantCulture, $"test{number}"));
                }

                _created += AtOnce;
                _unused.TryDequeue(out name);
            }

            return UriOf(name!);
        }
        finally
        {
            _creating.Release();
        }
    }

    /// <summary>Runs rabbitmqctl.</summary>
    /// <returns>Its output.</returns>
    public Task<string> ControlAsync(params IEnumerable<string> arguments) =>
        Programs.RunAsync(Path.Combine(s_programs!, "rabbitmqctl"), ["-q", .. arguments], _environment);

    /// <summary>Stops the server and keeps its messages.</summary>
    /// <param name="crash">Whether it is killed. Within half a second after a queue was declared, that makes the server forget the queue.</param>
    public async Task StopAsync(bool crash = false)
    {
        await _process!.StopAsync(crash ? "KILL" : "TERM");
        _process = null;
    }

    /// <summary>Starts the server again, with the same port and messages.</summary>
    public async Task StartAgainAsync() => _process = await ServerProcess.StartAsync(
        new ServerStart([Path.Combine(s_programs!, "rabbitmq-server")], _folder, "TERM") { Environment = _environment, Last = "epmd -kill >/dev/null 2>&1" },
        "completed with");

    /// <summary>Ends the server and removes its messages.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.StopAsync("KILL"); // its messages are not needed any more
            _process = null;
        }

        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }

        _creating.Dispose();
    }

    private static string Create(int first, int last) => string.Create(
        CultureInfo.InvariantCulture,
        $$"""
        [begin
           Name = iolist_to_binary(["test", integer_to_list(Number)]),
           rabbit_vhost:add(Name, <<"tests">>),
           rabbit_auth_backend_internal:set_permissions(<<"{{User}}">>, Name, <<".*">>, <<".*">>, <<".*">>, <<"tests">>)
         end || Number <- lists:seq({{first}}, {{last}})].
        """);

    private static Dictionary<string, string> EnvironmentOf(string folder, int port)
    {
        string In(string name) => Path.Combine(folder, name);
        return new Dictionary<string, string>
        {
            ["HOME"] = folder, // where Erlang keeps its cookie
            ["PATH"] = $"{s_programs}:{Environment.GetEnvironmentVariable("PATH")}",
            ["RUNNING_UNDER_SYSTEMD"] = "true", // the process that is started is the server itself, without a script that waits for it
            ["RABBITMQ_NODENAME"] = "rabbit@localhost",
            ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODE_PORT"] = port.ToString(CultureInfo.InvariantCulture),
            ["RABBITMQ_DIST_PORT"] = LoopbackPort.Take().ToString(CultureInfo.InvariantCulture),
            ["RABBITMQ_MNESIA_BASE"] = In("mnesia"),
            ["RABBITMQ_LOG_BASE"] = In("log"),
            ["RABBITMQ_CONFIG_FILE"] = In("rabbitmq"),
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = In("enabled_plugins"),
            ["RABBITMQ_GENERATED_CONFIG_DIR"] = In("generated"),
            ["RABBITMQ_CONF_ENV_FILE"] = In("none"),
            ["RABBITMQ_PID_FILE"] = In("pid"),
            ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
            // A name service of its own: nodes of other test runs have the same name.
            ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
            ["ERL_EPMD_RELAXED_COMMAND_CHECK"] = "1", // it may be ended at once
            ["ERL_EPMD_PORT"] = LoopbackPort.Take().ToString(CultureInfo.InvariantCulture),
        };
    }

    private Uri UriOf(string virtualHost) => new(string.Create(CultureInfo.InvariantCulture, $"amqp://{User}:{Password}@127.0.0.1:{Port}/{virtualHost}"));
}
