using System.Buffers;

namespace FastLLM.Providers;

/// <summary>Checks the characters of headers. .NET would send CR and LF unchanged, and repeat an invalid key in its exception.</summary>
internal static class HeaderText
{
    private static readonly SearchValues<char> NameChars =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Returns the key if a header can carry it. The message of the exception never repeats it.</summary>
    public static string CheckKey(string key) => key.AsSpan().ContainsAnyExceptInRange('\x21', '\x7E')
        ? throw new ArgumentException("The API key has blanks, line breaks or characters outside ASCII, which no key has. Copy it again.",
            "apiKey")
        : key;

    /// <summary>
    /// Returns a copy of the headers if all of them can be sent. The message of the exception names the header, never its value.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Check(IReadOnlyDictionary<string, string> headers)
    {
        foreach ((string name, string value) in headers)
        {
            if (name.Length == 0 || name.AsSpan().ContainsAnyExcept(NameChars))
            {
                throw new ArgumentException($"\"{Printable(name)}\" is not a header name.", nameof(headers));
            }

            if (value is null || value.AsSpan().ContainsAnyExceptInRange('\x20', '\x7E'))
            {
                throw new ArgumentException(
                    $"The value of header \"{name}\" has line breaks, control characters or characters outside ASCII.", nameof(headers));
            }
        }

        return new Dictionary<string, string>(headers, StringComparer.OrdinalIgnoreCase);
    }

    private static string Printable(string name) =>
        new([.. name.Take(40).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '?')]);
}
