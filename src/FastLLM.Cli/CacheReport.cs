using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace FastLLM.Cli;

/// <summary>Formats what <c>fastllm cache</c> prints.</summary>
internal static class CacheReport
{
    /// <summary>Formats statistics as text.</summary>
    public static string Table(string folder, DiskCacheStats stats)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        var text = new StringBuilder();
        text.AppendLine(culture, $"folder   {TerminalText.Clean(folder)}");
        string onDisk = SizeText.Print(stats.FileBytes);
        text.AppendLine(culture, $"entries  {stats.Entries:N0}, {SizeText.Print(stats.AnswerBytes)}; on disk {onDisk}");
        if (stats is { Oldest: { } oldest, Newest: { } newest })
        {
            text.AppendLine(culture, $"from     {oldest.UtcDateTime:yyyy-MM-dd HH:mm} to {newest.UtcDateTime:yyyy-MM-dd HH:mm} UTC");
        }

        foreach (DiskCacheShare share in stats.Shares)
        {
            string model = share.Model.Length == 0 ? "(no model)" : TerminalText.Clean(share.Model, 80);
            string scope = TerminalText.Clean(share.Scope, 120);
            text.AppendLine(culture, $"{share.Entries,9:N0}  {SizeText.Print(share.AnswerBytes),9}  {scope}  {model}");
        }

        return text.ToString().TrimEnd();
    }

    /// <summary>Formats statistics as JSON.</summary>
    public static string Json(string folder, DiskCacheStats stats) => Write(json =>
    {
        json.WriteString("folder", folder);
        json.WriteNumber("entries", stats.Entries);
        json.WriteNumber("answer_bytes", stats.AnswerBytes);
        json.WriteNumber("file_bytes", stats.FileBytes);
        Time("oldest", stats.Oldest);
        Time("newest", stats.Newest);
        json.WriteStartArray("shares");
        foreach (DiskCacheShare share in stats.Shares)
        {
            json.WriteStartObject();
            json.WriteString("scope", share.Scope);
            json.WriteString("model", share.Model);
            json.WriteNumber("entries", share.Entries);
            json.WriteNumber("answer_bytes", share.AnswerBytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();

        void Time(string name, DateTimeOffset? time)
        {
            if (time is { } given)
            {
                json.WriteString(name, given.UtcDateTime);
            }
            else
            {
                json.WriteNull(name);
            }
        }
    });

    /// <summary>Formats a verification as text.</summary>
    public static string Table(DiskCacheVerification found)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{found.Sound:N0} responses are intact, {found.Damaged:N0} are damaged.");
        foreach (string problem in found.Problems)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"problem  {TerminalText.Clean(problem, 300)}");
        }

        if (!found.IsSound)
        {
            text.AppendLine("The next command that opens this cache moves the damaged database aside and recovers the intact responses.");
        }

        return text.ToString().TrimEnd();
    }

    /// <summary>Formats a verification as JSON.</summary>
    public static string Json(DiskCacheVerification found, string? repair) => Write(json =>
    {
        json.WriteBoolean("sound", found.IsSound && repair is null);
        json.WriteString("repair", repair);
        json.WriteNumber("sound_entries", found.Sound);
        json.WriteNumber("damaged_entries", found.Damaged);
        json.WriteStartArray("problems");
        foreach (string problem in found.Problems)
        {
            json.WriteStringValue(problem);
        }

        json.WriteEndArray();
    });

    private static string Write(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
