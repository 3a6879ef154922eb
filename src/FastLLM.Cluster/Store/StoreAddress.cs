using Npgsql;

namespace FastLLM.Cluster.Store;

/// <summary>Reads the address of the database: an URL, or the <c>name=value</c> pairs of Npgsql or libpq.</summary>
internal static class StoreAddress
{
    // What stalls must be noticed: a command without an answer, and a server that is gone.
    private const string Defaults =
        "Timeout=10;Command Timeout=30;Keepalive=10;Cancellation Timeout=2000;Application Name=fastllm;Host=localhost;";

    /// <summary>Returns Npgsql's connection string.</summary>
    /// <exception cref="ArgumentException">The text is no address. The message does not repeat it: it may contain a password.</exception>
    public static string ToConnectionString(string address)
    {
        string text = address.Trim();
        try
        {
            return (IsUrl(text) ? FromUrl(new Uri(text)) : FromPairs(text)).ConnectionString;
        }
        catch (Exception e) when (e is UriFormatException or KeyNotFoundException or FormatException or ArgumentException)
        {
            throw new ArgumentException(
                "The store is not the address of a PostgreSQL database. Use postgres://user@host:5432/database, or Host=…;Database=….", e);
        }
    }

    /// <summary>Determines whether an address contains a password, which others could read in the list of processes.</summary>
    public static bool HasPassword(string address)
    {
        string text = address.Trim();
        if (IsUrl(text))
        {
            return Uri.TryCreate(text, UriKind.Absolute, out Uri? uri)
                && (uri.UserInfo.Contains(':', StringComparison.Ordinal) || NamesPassword(uri.Query));
        }

        return NamesPassword(text);
    }

    private static bool NamesPassword(string text) =>
        text.Contains("password", StringComparison.OrdinalIgnoreCase) || text.Contains("pwd", StringComparison.OrdinalIgnoreCase);

    private static bool IsUrl(string text) =>
        text.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase)
        || text.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase);

    private static NpgsqlConnectionStringBuilder FromUrl(Uri uri)
    {
        var builder = new NpgsqlConnectionStringBuilder(Defaults);
        if (uri.Host.Length > 0)
        {
            builder.Host = Uri.UnescapeDataString(uri.Host);
        }

        if (uri.Port > 0)
        {
            builder.Port = uri.Port;
        }

        string[] user = uri.UserInfo.Split(':', 2);
        if (user[0].Length > 0)
        {
            builder.Username = Uri.UnescapeDataString(user[0]);
        }

        if (user.Length > 1)
        {
            builder.Password = Uri.UnescapeDataString(user[1]);
        }

        if (uri.AbsolutePath.Trim('/') is { Length: > 0 } database)
        {
            builder.Database = Uri.UnescapeDataString(database);
        }

        foreach (string pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = pair.Split('=', 2);
            Set(builder, Uri.UnescapeDataString(parts[0]), Uri.UnescapeDataString(parts.Length > 1 ? parts[1] : ""));
        }

        return builder;
    }

    private static NpgsqlConnectionStringBuilder FromPairs(string text)
    {
        if (text.Contains(';', StringComparison.Ordinal) || text.Count(c => c == '=') == 1)
        {
            return new NpgsqlConnectionStringBuilder(Defaults + text); // of two values, the last one is valid
        }

        var builder = new NpgsqlConnectionStringBuilder(Defaults);
        foreach (string pair in text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] parts = pair.Split('=', 2);
            Set(builder, parts[0], parts.Length > 1 ? parts[1].Trim('\'') : throw new FormatException("A pair has no value."));
        }

        return builder;
    }

    // The names of libpq, where Npgsql has others.
    private static void Set(NpgsqlConnectionStringBuilder builder, string name, string value) => builder[name.ToLowerInvariant() switch
    {
        "dbname" => "Database",
        "user" => "Username",
        "sslmode" => "SSL Mode",
        "sslrootcert" => "Root Certificate",
        "passfile" => "Passfile",
        "connect_timeout" => "Timeout",
        "application_name" => "Application Name",
        _ => name,
    }] = value.Replace("verify-full", "VerifyFull", StringComparison.Ordinal).Replace("verify-ca", "VerifyCA", StringComparison.Ordinal);
}
