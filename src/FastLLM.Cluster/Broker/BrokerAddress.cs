namespace FastLLM.Cluster.Broker;

/// <summary>Represents the address of the broker: <c>amqp://user@host:5672/vhost</c>, or <c>amqps://</c>.</summary>
/// <remarks>This is a class because the text of a record would show the password.</remarks>
internal sealed class BrokerAddress
{
    private BrokerAddress(Uri uri) => Uri = uri;

    /// <summary>Gets the address with user and password.</summary>
    public Uri Uri { get; }

    /// <summary>Gets the host and the port, for messages.</summary>
    public string Host => FormattableString.Invariant($"{Uri.IdnHost}:{(Uri.Port > 0 ? Uri.Port : 5672)}");

    /// <summary>Reads an address.</summary>
    /// <param name="text">The address.</param>
    /// <param name="password">The password, if the address has none.</param>
    /// <exception cref="ArgumentException">The text is no address. The message does not repeat it: it may contain a password.</exception>
    public static BrokerAddress Parse(string text, string? password = null)
    {
        if (!Uri.TryCreate(text.Trim(), UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("amqp" or "amqps"))
        {
            throw new ArgumentException("The broker is not an address of RabbitMQ. Use amqp://user@host:5672/vhost, or amqps://.");
        }

        return password is null || HasPassword(text)
            ? new BrokerAddress(uri)
            : new BrokerAddress(new UriBuilder(uri) { Password = Uri.EscapeDataString(password) }.Uri);
    }

    /// <summary>Determines whether an address contains a password, which others could read in the list of processes.</summary>
    public static bool HasPassword(string text) =>
        Uri.TryCreate(text.Trim(), UriKind.Absolute, out Uri? uri) && uri.UserInfo.Contains(':', StringComparison.Ordinal);
}
