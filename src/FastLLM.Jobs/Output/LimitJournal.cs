using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.RateLimiting;

namespace FastLLM.Jobs.Output;

/// <summary>Stores in <c>OUTPUT.limits</c> what was sent in the last minute and day, so that a run that resumes exceeds no configured
/// limit.</summary>
/// <remarks>One line of JSON, written about once a second before the sends of that second. A file that cannot be read is
/// ignored: it concerns one minute, or one day. One that cannot be written is reported once, and tried again with the sends of the next
/// second. The lock of the output covers it.</remarks>
/// <param name="output">The output.</param>
/// <param name="time">The clock.</param>
/// <param name="onFault">Receives a message if the file cannot be written.</param>
internal sealed class LimitJournal(string output, TimeProvider time, Action<FormattableString>? onFault = null) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, SentMinute> _models = new(StringComparer.Ordinal);
    private FileStream? _file;
    private int _length;
    private bool _isClosed;
    private bool _isFaultReported;

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
            if (_isClosed)
            {
                return;
            }

            try
            {
                Write();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (!_isFaultReported)
                {
                    _isFaultReported = true;
                    const string Advice = "If this run is killed, wait a minute, with --rpd a day, or the next one may exceed a limit.";
                    onFault?.Invoke($"{Path} cannot be written ({e.Message}). {Advice}");
                }
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true; // of two jobs of a manager, the other may still announce
            _file?.Dispose();
        }
    }

    private static double[] AmountsOf(JsonElement axis) => [.. axis.EnumerateArray().Select(static one => one.GetDouble())];

    private static SentDay? DayOf(JsonElement model) => model.TryGetProperty("day", out JsonElement day)
        ? new SentDay(day.GetProperty("used").GetInt64(), day.GetProperty("ends_in").GetDouble())
        : null;

    private void Write()
    {
        if (_file is null || !FileStatus.IsAt(_file.SafeFileHandle, Path))
        {
            _file?.Dispose(); // a file that was deleted or moved away is written again
            _file = null;
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
