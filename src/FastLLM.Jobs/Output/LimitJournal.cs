using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.RateLimiting;

namespace FastLLM.Jobs.Output;

/// <summary>Stores in <c>OUTPUT.limits</c> what was sent in the last minute and day, so that a run that resumes exceeds no configured
/// limit.</summary>
/// <remarks>One line of JSON, written about once a second before the sends of that second. A file that cannot be read or written is
/// ignored: it concerns one minute, or one day. The lock of the output covers it.</remarks>
internal sealed class LimitJournal(string output, TimeProvider time) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, SentMinute> _models = new(StringComparer.Ordinal);
    private FileStream? _file;
    private int _length;
    private bool _isBroken;

    /// <summary>Gets the suffix of the file.</summary>
    public static string Suffix => ".limits";

    private string Path => output + Suffix;

    /// <summary>Reads what an earlier process has sent, and how many seconds ago it said so.</summary>
    public (IReadOnlyList<SentMinute> Sent, double Age) Read()
    {
        try
        {
            if (FileStatus.Of(Path) is not { } there)
            {
                return ([], 0);
            }

            PlainFile.Require(Path, there);
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path));
            double age = (time.GetUtcNow().ToUnixTimeMilliseconds() - document.RootElement.GetProperty("at").GetInt64()) / 1000.0;
            SentMinute[] sent =
            [
                .. document.RootElement.GetProperty("models").EnumerateArray().Select(model => new SentMinute(
                    model.GetProperty("model").GetString()!,
                    [.. model.GetProperty("sent").EnumerateArray().Select(static axis => AmountsOf(axis))]) { Day = DayOf(model) }),
            ];
            return (sent, Math.Max(0, age));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException
            or IOException or UnauthorizedAccessException)
        {
            return ([], 0);
        }
    }

    /// <summary>Stores what is about to be sent of a model.</summary>
    public void Announce(SentMinute sent)
    {
        lock (_gate)
        {
            _models[sent.Model] = sent;
            if (_isBroken)
            {
                return;
            }

            try
            {
                Write();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _isBroken = true;
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isBroken = true; // of two jobs of a manager, the other may still announce
            _file?.Dispose();
        }
    }

    private static double[] AmountsOf(JsonElement axis) => [.. axis.EnumerateArray().Select(static one => one.GetDouble())];

    private static SentDay? DayOf(JsonElement model) => model.TryGetProperty("day", out JsonElement day)
        ? new SentDay(day.GetProperty("used").GetInt64(), day.GetProperty("ends_in").GetDouble())
        : null;

    private void Write()
    {
        if (_file is null)
        {
            _file = PlainFile.OpenOrCreate(Path, FileShare.ReadWrite | FileShare.Delete);
            _length = (int)_file.Length;
        }

        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{{\"at\":{time.GetUtcNow().ToUnixTimeMilliseconds()},\"models\":[");
        string separator = "";
        foreach (SentMinute model in _models.Values)
        {
            IEnumerable<string> axes = model.Amounts.Select(static axis =>
                $"[{string.Join(',', axis.Select(static one => Math.Ceiling(one).ToString(CultureInfo.InvariantCulture)))}]");
            string name = $"\"{JsonEncodedText.Encode(model.Model)}\"";
            text.Append(CultureInfo.InvariantCulture, $"{separator}{{\"model\":{name},\"sent\":[{string.Join(',', axes)}]");
            if (model.Day is { } day)
            {
                text.Append(CultureInfo.InvariantCulture, $",\"day\":{{\"used\":{day.Used},\"ends_in\":{Math.Ceiling(day.EndsIn)}}}");
            }

            text.Append('}');
            separator = ",";
        }

        text.Append("]}");
        _length = Math.Max(_length, text.Length + 1); // never shorter, so that one write replaces the whole line
        RandomAccess.Write(_file.SafeFileHandle, Encoding.UTF8.GetBytes(text.ToString().PadRight(_length - 1) + "\n"), 0);
    }
}
