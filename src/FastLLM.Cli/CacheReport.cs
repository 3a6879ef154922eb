using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace FastLLM.Cli;

/// <summary>What <c>fastllm cache</c> prints.</summary>
internal static class CacheReport
{
    /// <summary>What the cache holds, for people.</summary>
    public static string Table(string folder, DiskCacheStats stats)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        var text = new StringBuilder();
        text.AppendLine(culture, $"folder   {TerminalText.Clean(folder)}");
        text.AppendLine(culture, $"answers  {stats.Entries:N0}, {SizeText.Print(stats.AnswerBytes)}; on disk {SizeText.Print(stats.FileBytes)}");
        if (stats is { Oldest: { } oldest, Newest: { } newest })
        {
            text.AppendLine(culture, $"from     {oldest.UtcDateTime:yyyy-MM-dd HH:mm} to {newest.UtcDateTime:yyyy-MM-dd HH:mm} UTC");
        }

        foreach (DiskCacheShare share in stats.Shares)
        {
            string model = share.Model.Length == 0 ? "(no model named)" : TerminalText.Clean(share.Model, 80);
            text.AppendLine(culture, $"{share.Entries,9:N0}  {SizeText.Print(share.AnswerBytes),9}  {TerminalText.Clean(share.Scope, 120)}  {model}");
        }

        return text.ToString().TrimEnd();
    }

    /// <summary>The same for programs.</summary>
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

    /// <summary>What a look at every answer has found, for people.</summary>
    public static string Table(DiskCacheVerification found)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{found.Sound:N0} answers are sound, {found.Damaged:N0} are damaged.");
        foreach (string problem in found.Problems)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"damage   {TerminalText.Clean(problem, 300)}");
        }

        if (!found.IsSound)
        {
            text.AppendLine("The next run or command that opens this cache sets the damaged database aside and saves what is sound.");
        }

        return text.ToString().TrimEnd();
    }

    /// <summary>The same for programs.</summary>
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
