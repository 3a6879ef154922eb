using System.CommandLine;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Store;

namespace FastLLM.Cli;

/// <summary>Reads the addresses of the cluster's database and broker. No option takes a password: others could read it in the list of
/// processes.</summary>
internal sealed class ClusterOptions(Func<string, string?> environment)
{
    private const string StoreVariable = "FASTLLM_STORE";
    private const string BrokerVariable = "FASTLLM_BROKER";
    private const string BrokerPasswordVariable = "FASTLLM_BROKER_PASSWORD";

    private readonly Option<string?> _store = CliOption.Text("--store", "URL|@FILE",
        "PostgreSQL database of the cluster, such as postgres://user@host/database, without a password (PGPASSWORD, ~/.pgpass). "
        + "Default: FASTLLM_STORE.");

    private readonly Option<string?> _broker = CliOption.Text("--broker", "URL|@FILE",
        "RabbitMQ broker of the cluster, such as amqp://user@host/vhost, without a password (FASTLLM_BROKER_PASSWORD). Default: "
        + "FASTLLM_BROKER.");

    private readonly Option<bool> _cluster = CliOption.Flag("--cluster",
        "Let the workers of a cluster process the rows. Implied by --store and --broker.");

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="withBroker">Whether the command needs the broker.</param>
    public void AddTo(CliCommand command, bool withBroker)
    {
        command.Add("Cluster", _store);
        if (withBroker)
        {
            command.Add("Cluster", _broker);
        }
    }

    /// <summary>Adds the options to a command that can do without a cluster.</summary>
    public void AddOptionalTo(CliCommand command) => command.Add("Cluster", _cluster, _store, _broker);

    /// <summary>Returns whether the rows are to be processed by a cluster.</summary>
    public bool IsUsed(ParseResult result) =>
        result.GetValue(_cluster) || result.GetValue(_store) is not null || result.GetValue(_broker) is not null;

    /// <summary>Opens the database.</summary>
    /// <exception cref="UsageException">There is no address, or it is wrong.</exception>
    public ClusterStore OpenStore(ParseResult result, TimeProvider time)
    {
        string address = Read(result, _store, StoreVariable, StoreAddress.HasPassword, "PGPASSWORD or ~/.pgpass");
        try
        {
            return new ClusterStore(address, time);
        }
        catch (ArgumentException e)
        {
            throw UsageException.From(e);
        }
    }

    /// <summary>Reads the address of the broker.</summary>
    /// <exception cref="UsageException">There is no address, or it is wrong.</exception>
    public BrokerAddress ReadBroker(ParseResult result)
    {
        string address = Read(result, _broker, BrokerVariable, BrokerAddress.HasPassword, BrokerPasswordVariable);
        try
        {
            return BrokerAddress.Parse(address, environment(BrokerPasswordVariable));
        }
        catch (ArgumentException e)
        {
            throw UsageException.From(e);
        }
    }

    /// <summary>Runs a command of the cluster. What its servers report becomes a message and an exit code.</summary>
    public static async Task<int> GuardAsync(Func<Task<int>> command, TextWriter errors)
    {
        try
        {
            return await command();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            await errors.WriteLineAsync(TerminalText.Clean(e.Message, 1000));
            return ExitCode.Usage;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
    }

    /// <summary>Runs a command on the database of the cluster, whose tables must be those of this version.</summary>
    public Task<int> RunAsync(
        ParseResult result, TimeProvider time, Func<ClusterStore, Task<int>> command, CancellationToken cancellationToken) =>
        GuardAsync(
            async () =>
            {
                await using ClusterStore store = OpenStore(result, time);
                await store.CheckAsync(cancellationToken);
                return await command(store);
            },
            result.InvocationConfiguration.Error);

    private string Read(ParseResult result, Option<string?> option, string variable, Func<string, bool> hasPassword, string passwords)
    {
        if (result.GetValue(option) is not { } given)
        {
            return environment(variable)?.Trim() is { Length: > 0 } value
                ? value
                : throw new UsageException($"There is no {option.Name[2..]}. Use {option.Name} URL, or set {variable}.");
        }

        if (given.StartsWith('@'))
        {
            return ReadFile(option.Name, given[1..]);
        }

        return !hasPassword(given) ? given : throw new UsageException(
            $"{option.Name} contains a password, which others can read in the list of processes. Put it in {passwords}, or the whole "
            + $"address in {variable} or in a file ({option.Name} @FILE).");
    }

    private static string ReadFile(string option, string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{option}: cannot read {TerminalText.Clean(path)}. {TerminalText.Clean(e.Message, 300)}", e);
        }
    }
}
