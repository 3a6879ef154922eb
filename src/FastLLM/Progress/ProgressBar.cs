using System.Globalization;
using System.Text;

namespace FastLLM.Progress;

/// <summary>One line on a terminal that is drawn over and over.</summary>
internal sealed class ProgressBar(TextWriter writer, Func<int> width)
{
    private const int Cells = 24;

    private readonly Lock _gate = new();
    private bool _finished;

    /// <summary>Creates a bar on standard error; <see langword="null"/> if that is not an interactive terminal.</summary>
    public static ProgressBar? OnTerminal() =>
        Console.IsErrorRedirected || Environment.GetEnvironmentVariable("TERM") is "dumb"
            ? null
            : new ProgressBar(Console.Error, static () => Math.Max(20, Console.WindowWidth));

    /// <summary>Draws the line anew.</summary>
    public void Draw(TokenStats stats)
    {
        lock (_gate)
        {
            if (!_finished)
            {
                Write('\r' + Fit(Line(stats)) + "\x1b[K");
            }
        }
    }

    /// <summary>Draws the line for the last time and leaves it standing.</summary>
    public void Finish(TokenStats stats)
    {
        lock (_gate)
        {
            if (!_finished)
            {
                _finished = true;
                Write('\r' + Fit(Line(stats)) + "\x1b[K" + Environment.NewLine);
            }
        }
    }

    internal static string Line(TokenStats stats)
    {
        var line = new StringBuilder();
        CultureInfo culture = CultureInfo.InvariantCulture;
        if (stats.RequestsTotal is > 0 and var total)
        {
            var full = (int)(Cells * Math.Min(1.0, (double)stats.RequestsCompleted / total));
            line.Append('[').Append('#', full).Append('.', Cells - full).Append("] ");
            line.Append(culture, $"{stats.RequestsCompleted:N0}/{total:N0}");
        }
        else
        {
            line.Append(culture, $"{stats.RequestsCompleted:N0} done");
        }

        line.Append(culture, $" · {stats.RequestsPerSecond:N0}/s");
        Append(line, stats.Failed, "failed");
        Append(line, stats.CacheHits, "cached");
        Append(line, stats.Shared, "shared");
        line.Append(culture, $" · in {stats.PromptTokensPerSecond:N0} out {stats.CompletionTokensPerSecond:N0} tokens/s");
        line.Append(culture, $" · {Clock(stats.ElapsedTime)}");
        if (Left(stats) is { } left)
        {
            line.Append(culture, $" · {Clock(left)} left");
        }

        return line.ToString();
    }

    private static TimeSpan? Left(TokenStats stats)
    {
        long left = (stats.RequestsTotal ?? 0) - stats.RequestsCompleted;
        if (left <= 0 || stats.RequestsPerSecond <= 0 || stats.IsWaiting)
        {
            return null;
        }

        double seconds = left / stats.RequestsPerSecond;
        return seconds < TimeSpan.FromDays(30).TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;
    }

    private static string Clock(TimeSpan time) =>
        time.TotalHours >= 1 ? $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}" : $"{time.Minutes}:{time.Seconds:00}";

    private static void Append(StringBuilder line, long count, string what)
    {
        if (count > 0)
        {
            line.Append(CultureInfo.InvariantCulture, $" · {count:N0} {what}");
        }
    }

    private void Write(string line)
    {
        try
        {
            writer.Write(line);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // The terminal is gone: nothing more is drawn, and the batch continues.
            _finished = true;
        }
    }

    private string Fit(string line)
    {
        int most = width() - 1;
        return line.Length <= most ? line : line[..most];
    }
}
