using System.Text;

namespace FastLLM.Providers;

/// <summary>Removes credentials from responses: some servers repeat the key that they refuse.</summary>
internal static class Secrets
{
    private const int ShortestSecret = 8;
    private const string Bearer = "Bearer ";
    private const string Stars = "***";

    /// <summary>Gets the response with every credential of the request replaced by <c>***</c>.</summary>
    public static ReadOnlyMemory<byte> Remove(ReadOnlyMemory<byte> answer, IReadOnlyDictionary<string, string> headers)
    {
        foreach (string secret in Of(headers))
        {
            if (answer.Span.IndexOf(Encoding.UTF8.GetBytes(secret)) >= 0)
            {
                answer = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(answer.Span).Replace(secret, Stars, StringComparison.Ordinal));
            }
        }

        return answer;
    }

    /// <summary>Gets the failure without the credentials of the request, which JSON escapes or an exception that quotes a header may
    /// contain.</summary>
    public static LlmException Remove(LlmException failure, IReadOnlyDictionary<string, string> headers)
    {
        foreach (string secret in Of(headers))
        {
            if (Shows(failure, secret))
            {
                failure = failure.Without(secret, Stars);
            }
        }

        return failure;
    }

    private static IEnumerable<string> Of(IReadOnlyDictionary<string, string> headers)
    {
        foreach ((string name, string value) in headers)
        {
            string secret = value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? value[Bearer.Length..] : value;
            if (IsCredential(name) && secret.Length >= ShortestSecret)
            {
                yield return secret;
            }
        }
    }

    private static bool Shows(LlmException failure, string secret)
    {
        for (Exception? cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause.Message.Contains(secret, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return Has(failure.Code) || Has(failure.Parameter) || Has(failure.Body);

        bool Has(string? text) => text?.Contains(secret, StringComparison.Ordinal) == true;
    }

    private static bool IsCredential(string name) => name.Contains("auth", StringComparison.OrdinalIgnoreCase)
        || name.Contains("key", StringComparison.OrdinalIgnoreCase) || name.Contains("token", StringComparison.OrdinalIgnoreCase);
}
