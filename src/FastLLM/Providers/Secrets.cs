using System.Text;

namespace FastLLM.Providers;

/// <summary>Takes credentials out of what a server sends back: some repeat the key they refuse.</summary>
internal static class Secrets
{
    private const int ShortestSecret = 8;
    private const string Bearer = "Bearer ";

    /// <summary>The answer with every credential of the request replaced by <c>***</c>.</summary>
    public static ReadOnlyMemory<byte> Remove(ReadOnlyMemory<byte> answer, IReadOnlyDictionary<string, string> headers)
    {
        foreach ((string name, string value) in headers)
        {
            if (!IsCredential(name))
            {
                continue;
            }

            string secret = value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? value[Bearer.Length..] : value;
            byte[] bytes = Encoding.UTF8.GetBytes(secret);
            if (bytes.Length >= ShortestSecret && answer.Span.IndexOf(bytes) >= 0)
            {
                answer = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(answer.Span).Replace(secret, "***", StringComparison.Ordinal));
            }
        }

        return answer;
    }

    private static bool IsCredential(string name) => name.Contains("auth", StringComparison.OrdinalIgnoreCase)
        || name.Contains("key", StringComparison.OrdinalIgnoreCase) || name.Contains("token", StringComparison.OrdinalIgnoreCase);
}
