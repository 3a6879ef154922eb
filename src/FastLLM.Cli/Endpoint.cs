using System.Net;
using System.Net.Sockets;

namespace FastLLM.Cli;

/// <summary>Represents the endpoint options as given on the command line.</summary>
/// <param name="Provider">The name of a preset.</param>
/// <param name="BaseUrl">The base URL.</param>
/// <param name="ApiKeyEnv">The environment variable that holds the API key. No option takes the key itself.</param>
/// <param name="AllowHttp">Whether http:// is allowed outside private networks.</param>
/// <param name="SendsNothing">Whether nothing will be sent, so that a missing key is no error.</param>
internal sealed record EndpointChoice(
    string? Provider = null, string? BaseUrl = null, string? ApiKeyEnv = null, bool AllowHttp = false, bool SendsNothing = false);

/// <summary>Represents the base URL and the API key of a run, resolved from options and environment without sending anything.</summary>
/// <remarks>This is a class because the text of a record would show the key.</remarks>
internal sealed class Endpoint
{
    private const string KeyIsNoName =
        "--api-key-env takes the name of an environment variable, not the key. Set the variable, and pass its name.";

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

    /// <summary>Gets the preset; <see langword="null"/> for an unknown server.</summary>
    public Preset? Preset { get; }

    /// <summary>Gets a value indicating whether the built-in simulator is used.</summary>
    public bool IsSimulator => Preset?.IsSimulator == true;

    /// <summary>Gets the base URL; <see langword="null"/> for the simulator, which gets one when it starts.</summary>
    public string? BaseUrl { get; }

    /// <summary>Gets the environment variable whose key is sent; <see langword="null"/> if no key is sent.</summary>
    public string? KeyVariable { get; }

    /// <summary>Gets the notices that the user must see before the first send.</summary>
    public IReadOnlyList<string> Notices { get; }

    /// <summary>Resolves the endpoint.</summary>
    /// <param name="choice">The options.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <exception cref="UsageException">The options are incomplete or unsafe; the message says what to do.</exception>
    public static Endpoint Resolve(EndpointChoice choice, Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(choice);
        ArgumentNullException.ThrowIfNull(environment);
        Func<string, string?> read = Trimmed(environment);
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
                $"{source} \"{TerminalText.Clean(address, 200)}\" uses http:// outside this machine and private networks, which exposes "
                + "prompts and key. Use https://, or allow it with --allow-http.");
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
            throw new UsageException(e.Message, e); // names the invalid parameter, never a key
        }

        return endpoint;
    }

    /// <summary>Returns the preset that the options name or whose host they name, whether or not its key is set; <see langword="null"/> for
    /// another server, and if there is none.</summary>
    public static Preset? PresetOf(EndpointChoice choice, Func<string, string?> environment)
    {
        Preset? named = choice.Provider is null ? null : Presets.Named(choice.Provider);
        try
        {
            if (named?.IsSimulator != true)
            {
                (string address, string source) = Address(choice, ref named, Trimmed(environment));
                return Presets.OfHost(Parse(address, source)) ?? named;
            }

            return named;
        }
        catch (UsageException) when (choice is { Provider: null, BaseUrl: null })
        {
            return null; // none is configured
        }
    }

    /// <summary>Creates the provider.</summary>
    /// <exception cref="InvalidOperationException">The simulator has no base URL yet; use <see cref="ConnectAsync"/>.</exception>
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

    /// <summary>Creates the provider, and starts the simulator if it is used.</summary>
    /// <param name="cancellationToken">Cancels the start of the simulator.</param>
    public Task<Connection> ConnectAsync(CancellationToken cancellationToken = default) =>
        IsSimulator ? Connection.ToSimulatorAsync(cancellationToken) : Task.FromResult(new Connection(CreateProvider(), BaseUrl!));

    /// <summary>Returns whether an address is on this machine or a private network, where http:// is allowed.</summary>
    internal static bool IsPrivate(Uri address)
    {
        string host = address.IdnHost.TrimEnd('.');
        if (!IPAddress.TryParse(host, out IPAddress? ip))
        {
            return host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
                || host.EndsWith(".local", StringComparison.OrdinalIgnoreCase);
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

    private static Func<string, string?> Trimmed(Func<string, string?> environment) =>
        name => environment(name)?.Trim() is { Length: > 0 } value ? value : null;

    private static Endpoint Simulator(EndpointChoice choice) => choice switch
    {
        { BaseUrl: not null } => throw new UsageException(
            "--provider simulator starts its own simulator and does not accept --base-url. To use a running one, omit --provider."),
        { ApiKeyEnv: not null } => throw new UsageException("--provider simulator does not use a key. Omit --api-key-env."),
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
            : throw new UsageException($"{named.Title} has no default base URL. Set {named.BaseUrlVariable}, or use --base-url.");
    }

    private static string NoProvider(Func<string, string?> read)
    {
        const string ways = """
            No provider is configured. Do one of the following:
              Set an API key:        {0}   (other providers: fastllm providers)
              Specify a server:      --base-url http://localhost:8000/v1
              Try it without a key:  --provider simulator
            """;
        IEnumerable<string> ready = Presets.All
            .Where(preset => preset is { KeyVariable: not null, IsOwnServer: false } && read(preset.KeyVariable) is not null)
            .Select(preset => $"{preset.KeyVariable} is set: use --provider {preset.Name}.");
        string set = SetVariable(Presets.DefaultKeyVariable);
        return string.Join(Environment.NewLine, [ways.Replace("{0}", set, StringComparison.Ordinal).ReplaceLineEndings(), .. ready]);
    }

    private static string SetVariable(string name) =>
        OperatingSystem.IsWindows() ? $"$env:{name} = \"...\"" : $"export {name}=...";

    private static Uri Parse(string address, string source)
    {
        if (!Uri.TryCreate(address.Trim(), UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new UsageException($"{source} \"{TerminalText.Clean(address, 200)}\" is not a base URL. {MeantBy(address.Trim())}");
        }

        return uri is { UserInfo.Length: 0, Query.Length: 0, Fragment.Length: 0 }
            ? uri
            : throw new UsageException(
                $"{source} must not contain user info, a query or a fragment. The key comes from an environment variable (--api-key-env).");
    }

    // Without a scheme, localhost:8000 is an address of the scheme "localhost".
    private static string MeantBy(string address) =>
        !address.Contains("//", StringComparison.Ordinal) && Uri.TryCreate($"http://{address}", UriKind.Absolute, out Uri? uri)
            && (uri.IsLoopback || uri.Host.Contains('.', StringComparison.Ordinal))
            ? $"Did you mean {(IsPrivate(uri) ? "http" : "https")}://{TerminalText.Clean(address, 200)}?"
            : "Use an address such as https://api.openai.com/v1.";

    private static (string? Variable, string? Key) Key(
        EndpointChoice choice, Preset? owner, Preset? named, Uri uri, Func<string, string?> read, List<string> notices)
    {
        if (choice.ApiKeyEnv is { } chosen)
        {
            bool isName = chosen.Length > 0 && !char.IsAsciiDigit(chosen[0]) && chosen.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
            return !isName ? throw new UsageException(KeyIsNoName)
                : read(chosen) is { } value ? (chosen, Checked(value, chosen))
                // The text may be the key itself, which must not be shown, so only names in capitals are repeated.
                : chosen.Any(char.IsAsciiLetterLower)
                    ? throw new UsageException($"The variable named by --api-key-env is not set. {KeyIsNoName}")
                : throw new UsageException(
                        $"The variable {chosen}, named by --api-key-env, is not set. Set it first: {SetVariable(chosen)}");
        }

        // The key follows the host: the key of one provider is never sent to another.
        Preset? preset = owner ?? named;
        string? variable = preset is null ? Presets.DefaultKeyVariable : preset.KeyVariable;
        if (variable is null || read(variable) is not { } key)
        {
            return owner is { NeedsKey: true } && !choice.SendsNothing
                ? throw new UsageException(
                    $"{variable} is not set. Set it to your {owner.Title} key ({SetVariable(variable!)}), or name another variable with "
                    + "--api-key-env.")
                : (null, null);
        }

        if (owner is null && preset is not { IsOwnServer: true })
        {
            notices.Add(
                $"The key in {variable} is sent to {Shown(uri)}, which is not a known host of {(preset ?? Presets.OpenAI).Title}. "
                + "To use another key, pass --api-key-env NAME.");
        }

        return (variable, Checked(key, variable));
    }

    // The ASCII form of the host: a lookalike of a provider shows as xn--.
    private static string Shown(Uri uri) => uri.HostNameType != UriHostNameType.Dns ? uri.Authority
        : uri.IsDefaultPort ? uri.IdnHost : FormattableString.Invariant($"{uri.IdnHost}:{uri.Port}");

    private static string Checked(string key, string variable) => key.AsSpan().ContainsAnyExceptInRange('\x21', '\x7E')
        ? throw new UsageException(
            $"{variable} contains blanks, line breaks or non-ASCII characters, which are not valid in a key. Copy the key again.")
        : key;
}
