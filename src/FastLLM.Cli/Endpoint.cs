using System.Net;
using System.Net.Sockets;

namespace FastLLM.Cli;

/// <summary>What a user said about where to send, before it is known what that means.</summary>
/// <param name="Provider">The name of a preset.</param>
/// <param name="BaseUrl">A base URL.</param>
/// <param name="ApiKeyEnv">The name of the variable that holds the key; no option ever takes the key itself.</param>
/// <param name="AllowHttp">Whether http:// may leave the private network.</param>
internal sealed record EndpointChoice(string? Provider = null, string? BaseUrl = null, string? ApiKeyEnv = null, bool AllowHttp = false);

/// <summary>Where requests go, and with which key: worked out from options and environment alone, so that nothing is sent or started yet.</summary>
/// <remarks>A class, not a record: a record's text would show the key.</remarks>
internal sealed class Endpoint
{
    private const string KeyIsNoName = "--api-key-env takes the name of an environment variable, never the key itself: set the variable, and give its name.";

    private readonly string? _key;
    private readonly string? _organization;

    private Endpoint(Preset? preset, string? baseUrl, string? keyVariable, string? key, string? organization, IReadOnlyList<string> notices)
    {
        Preset = preset;
        BaseUrl = baseUrl;
        KeyVariable = keyVariable;
        _key = key;
        _organization = organization;
        Notices = notices;
    }

    /// <summary>Gets the preset in force; <see langword="null"/> for a server that is not known by name.</summary>
    public Preset? Preset { get; }

    /// <summary>Gets a value indicating whether the built-in simulator is to be started.</summary>
    public bool IsSimulator => Preset?.IsSimulator == true;

    /// <summary>Gets the base URL; <see langword="null"/> for the simulator, which has one once it runs.</summary>
    public string? BaseUrl { get; }

    /// <summary>Gets the variable whose key is sent; <see langword="null"/> where none is sent.</summary>
    public string? KeyVariable { get; }

    /// <summary>Gets what the user must be told on standard error before anything is sent.</summary>
    public IReadOnlyList<string> Notices { get; }

    /// <summary>Works out where to send.</summary>
    /// <param name="choice">What the options say.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <exception cref="UsageException">The options do not say enough, or something that must not be done; the message says what to do.</exception>
    public static Endpoint Resolve(EndpointChoice choice, Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(choice);
        ArgumentNullException.ThrowIfNull(environment);
        Func<string, string?> read = name => environment(name)?.Trim() is { Length: > 0 } value ? value : null;

        Preset? named = choice.Provider is null ? null : Presets.Named(choice.Provider);
        if (named?.IsSimulator == true)
        {
            return Simulator(choice);
        }

        (string address, string source) = Address(choice, ref named, read);
        Uri uri = Parse(address, source);
        Preset? owner = Presets.OfHost(uri);
        Preset? preset = owner ?? named;
        if (uri.AbsolutePath == "/" && preset?.DefaultPath is { } path)
        {
            uri = new Uri(uri, path);
        }

        if (uri.Scheme == "http" && !choice.AllowHttp && !IsPrivate(uri))
        {
            throw new UsageException(
                $"{source} \"{TerminalText.Clean(address, 200)}\" is http:// to a host outside this machine and the private network: prompts and key would travel readable. Use https://, or give --allow-http.");
        }

        List<string> notices = [];
        (string? variable, string? key) = Key(choice, owner, named, uri, read, notices);
        string? organization = preset?.OrganizationVariable is { } name ? read(name) : null;
        var endpoint = new Endpoint(preset, uri.GetLeftPart(UriPartial.Path).TrimEnd('/'), variable, key, organization, notices);
        try
        {
            _ = endpoint.CreateProvider();
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message, e); // names the parameter at fault, never a key
        }

        return endpoint;
    }

    /// <summary>The provider that sends there.</summary>
    /// <exception cref="InvalidOperationException">This is the simulator, which must be started first: <see cref="ConnectAsync"/> does both.</exception>
    public OpenAIProvider CreateProvider()
    {
        if (BaseUrl is null)
        {
            throw new InvalidOperationException("The simulator must be started first.");
        }

        return Preset?.KeyHeader is { } header && _key is not null
            ? new OpenAIProvider("", BaseUrl, _organization, new Dictionary<string, string> { [header] = _key })
            : new OpenAIProvider(_key ?? "", BaseUrl, _organization);
    }

    /// <summary>The provider that sends there; the simulator is started if it is the one.</summary>
    /// <param name="cancellationToken">Gives up the start.</param>
    public Task<Connection> ConnectAsync(CancellationToken cancellationToken = default) =>
        IsSimulator ? Connection.ToSimulatorAsync(cancellationToken) : Task.FromResult(new Connection(CreateProvider(), BaseUrl!));

    /// <summary>Whether http:// may be used: this machine and private addresses.</summary>
    internal static bool IsPrivate(Uri address)
    {
        string host = address.IdnHost.TrimEnd('.');
        if (!IPAddress.TryParse(host, out IPAddress? ip))
        {
            return host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".local", StringComparison.OrdinalIgnoreCase);
        }

        if (ip.IsIPv4MappedToIPv6)
        {
            ip = ip.MapToIPv4();
        }

        byte[] bytes = ip.GetAddressBytes();
        return IPAddress.IsLoopback(ip) || (ip.AddressFamily == AddressFamily.InterNetworkV6
            ? (bytes[0] & 0xFE) == 0xFC
            : bytes[0] == 10 || (bytes[0] == 172 && (bytes[1] & 0xF0) == 16) || (bytes[0] == 192 && bytes[1] == 168));
    }

    private static Endpoint Simulator(EndpointChoice choice) => choice switch
    {
        { BaseUrl: not null } => throw new UsageException(
            "--provider simulator starts a simulator of its own, so --base-url has no place. For one that runs already, leave --provider out."),
        { ApiKeyEnv: not null } => throw new UsageException("--provider simulator takes no key. Leave --api-key-env out."),
        _ => new Endpoint(Presets.Simulator, null, null, null, null, []),
    };

    private static (string Address, string Source) Address(EndpointChoice choice, ref Preset? named, Func<string, string?> read)
    {
        if (choice.BaseUrl is { } given)
        {
            return (given, "--base-url");
        }

        if (named is null)
        {
            if (choice.ApiKeyEnv is null && read(Presets.DefaultKeyVariable) is null && read(Presets.OpenAI.BaseUrlVariable!) is null)
            {
                throw new UsageException(NoProvider(read));
            }

            named = Presets.OpenAI;
        }

        if (named.BaseUrlVariable is { } variable && read(variable) is { } value)
        {
            return (value, variable);
        }

        return named.BaseUrl is { } address
            ? (address, named.Name)
            : throw new UsageException($"Where is your {named.Title}? Set {named.BaseUrlVariable}, or give --base-url.");
    }

    private static string NoProvider(Func<string, string?> read)
    {
        const string ways = """
            No provider, no key and no base URL: there is nobody to ask. Three ways on:
              set a key:              export OPENAI_API_KEY=...   (other providers: fastllm providers)
              name a server:          --base-url http://localhost:8000/v1
              try it without either:  --provider simulator
            """;
        Preset[] ready = [.. Presets.All.Where(preset => preset is { KeyVariable: not null, IsOwnServer: false } && read(preset.KeyVariable) is not null)];
        return ready.Length == 0
            ? ways
            : $"{ways}{Environment.NewLine}{string.Join(", ", ready.Select(preset => $"{preset.KeyVariable} is set: --provider {preset.Name} uses it"))}.";
    }

    private static Uri Parse(string address, string source)
    {
        if (!Uri.TryCreate(address.Trim(), UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new UsageException($"{source} \"{TerminalText.Clean(address, 200)}\" is no base URL. Give an http(s) address such as https://api.openai.com/v1.");
        }

        return uri is { UserInfo.Length: 0, Query.Length: 0, Fragment.Length: 0 }
            ? uri
            : throw new UsageException($"{source} has user info, a query or a fragment. Leave only the address; the key comes from an environment variable (--api-key-env).");
    }

    private static (string? Variable, string? Key) Key(
        EndpointChoice choice, Preset? owner, Preset? named, Uri uri, Func<string, string?> read, List<string> notices)
    {
        if (choice.ApiKeyEnv is { } chosen)
        {
            bool isName = chosen.Length > 0 && !char.IsAsciiDigit(chosen[0]) && chosen.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
            return !isName ? throw new UsageException(KeyIsNoName)
                : read(chosen) is { } value ? (chosen, Checked(value, chosen))
                // Somebody may have put the key here, and a key must not be shown: only what looks like a variable is.
                : chosen.Any(char.IsAsciiLetterLower) ? throw new UsageException($"There is no environment variable of the name given with --api-key-env. {KeyIsNoName}")
                : throw new UsageException($"--api-key-env {chosen}: the variable is not set.");
        }

        // The key follows the host: that of one provider is never sent to another's.
        Preset? preset = owner ?? named;
        string? variable = preset is null ? Presets.DefaultKeyVariable : preset.KeyVariable;
        if (variable is null || read(variable) is not { } key)
        {
            return owner is { NeedsKey: true }
                ? throw new UsageException($"{variable} is not set. Set it to your {owner.Title} key, or name the variable that holds it with --api-key-env.")
                : (null, null);
        }

        if (owner is null && preset is not { IsOwnServer: true })
        {
            notices.Add($"The key in {variable} is sent to {Shown(uri)}, which is not known as a host of {(preset ?? Presets.OpenAI).Title}. --api-key-env NAME chooses another.");
        }

        return (variable, Checked(key, variable));
    }

    // The name as it is looked up: one that only looks like a provider's shows as xn--.
    private static string Shown(Uri uri) => uri.HostNameType != UriHostNameType.Dns ? uri.Authority
        : uri.IsDefaultPort ? uri.IdnHost : FormattableString.Invariant($"{uri.IdnHost}:{uri.Port}");

    private static string Checked(string key, string variable) => key.AsSpan().ContainsAnyExceptInRange('\x21', '\x7E')
        ? throw new UsageException($"{variable} has blanks, line breaks or characters outside ASCII, which no key has. Check where it was copied from.")
        : key;
}
