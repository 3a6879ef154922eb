using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace FastLLM.Simulator.Answers;

/// <summary>Makes texts that a schema allows: by its format, its pattern and its lengths; otherwise a name and eight digits.</summary>
internal static class SchemaTexts
{
    private const int MaxLength = 100_000;

    /// <exception cref="SchemaException">No text fits.</exception>
    public static string Make(SchemaParts parts, SchemaDraws draws, string name)
    {
        ulong drawn = draws.Next();
        string digits = (drawn >> 32).ToString("x8", CultureInfo.InvariantCulture);
        long shortest = parts.Number("minLength", 0), longest = parts.Number("maxLength", long.MaxValue);
        if (shortest > longest || shortest > MaxLength)
        {
            throw new SchemaException(
                $"no text has {shortest} characters or more here, at '{name}' (the simulator makes at most {MaxLength})");
        }

        if (parts.TryGet("pattern", out JsonElement pattern) && pattern.ValueKind == JsonValueKind.String)
        {
            return Matching(pattern.GetString()!, drawn, digits, name, shortest, longest);
        }

        string? text = parts.TryGet("format", out JsonElement format) ? Formatted(format.ToString(), drawn, digits) : null;
        return Fit(text ?? $"{name} {digits}", shortest, longest);
    }

    private static string? Formatted(string format, ulong drawn, string digits)
    {
        // From 2000 to 2027, and any time of day.
        DateTime time = new DateTime(2000, 1, 1).AddDays(drawn % 10_000).AddSeconds((drawn >> 20) % 86_400);
        return format switch
        {
            "date-time" => time.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            "date" => time.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            "time" => time.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            "duration" => $"PT{drawn % 1000}S",
            "email" or "idn-email" => $"user-{digits}@example.com",
            "hostname" or "idn-hostname" => $"host-{digits}.example.com",
            "uri" or "url" or "iri" or "uri-reference" or "iri-reference" => $"https://example.com/{digits}",
            "uuid" => $"{digits}-0000-4000-8000-{drawn & 0xFFFF_FFFF_FFFF:x12}",
            "ipv4" => $"192.0.2.{drawn % 256}",
            "ipv6" => $"2001:db8::{drawn % 65_536:x}",
            "json-pointer" => $"/{digits}",
            "regex" => "^.*$",
            _ => null,
        };
    }

    // Patterns of everyday use; for the others there is an error.
    private static string Matching(string pattern, ulong drawn, string digits, string name, long shortest, long longest)
    {
        Regex regex;
        try
        {
            regex = new Regex(pattern, RegexOptions.ECMAScript | RegexOptions.CultureInvariant, TimeSpan.FromMilliseconds(100));
        }
        catch (ArgumentException e)
        {
            throw new SchemaException($"its pattern cannot be read ({e.Message}), at '{name}'");
        }

        foreach (string candidate in Candidates(drawn, digits, name))
        {
            if (candidate.Length >= shortest && candidate.Length <= longest && IsMatch(regex, candidate))
            {
                return candidate;
            }
        }

        string? made = PatternText.TryMake(pattern, drawn);
        return made is not null && made.Length >= shortest && made.Length <= longest && IsMatch(regex, made) ? made
            : throw new SchemaException($"the simulator knows no text for the pattern {pattern}, at '{name}'");
    }

    private static bool IsMatch(Regex regex, string text)
    {
        try
        {
            return regex.IsMatch(text);
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    private static IEnumerable<string> Candidates(ulong drawn, string digits, string name)
    {
        yield return $"{name} {digits}";
        yield return digits;
        foreach (string format in (string[])["date", "date-time", "time", "email", "uuid", "uri", "ipv4"])
        {
            yield return Formatted(format, drawn, digits)!;
        }
    }

    // Cut or lengthened; formats keep their length where it fits.
    private static string Fit(string text, long shortest, long longest) => text.Length > longest ? text[..(int)longest]
        : text.Length < shortest ? text.PadRight((int)shortest, '.') : text;
}
