using System.Globalization;

namespace FastLLM.Jobs.Reports;

/// <summary>Draws the rows over time, and the bottleneck at each time.</summary>
internal static class TimeChart
{
    /// <summary>The width on a screen.</summary>
    public const int Wide = 1140;

    /// <summary>The width on a phone, where all times are to be seen at once.</summary>
    public const int Narrow = 360;

    private const int BarWidth = 10;
    private const int Left = 52;
    private const int Top = 10;
    private const int Bottom = 150;
    private const int Gap = 22;

    private static readonly string[] s_known =
        ["requests_per_minute", "tokens_per_minute", "concurrency", "provider_latency", "back_off", "input", "output"];

    /// <summary>Gets the CSS class of a bottleneck.</summary>
    public static string ClassOf(string bottleneck)
    {
        int known = Array.IndexOf(s_known, bottleneck);
        return string.Create(CultureInfo.InvariantCulture, $"f{(known < 0 ? s_known.Length : known)}");
    }

    /// <summary>Draws one bar for each interval, and a strip of bottlenecks below.</summary>
    public static Markup Draw(Timeline timeline, int width = Wide)
    {
        (int seconds, IReadOnlyList<Timeline.Stretch> stretches) = timeline.Bars(width / BarWidth);
        int bars = stretches.Sum(stretch => stretch.Bars.Count);
        int gap = Math.Min(Gap, width / 3 / stretches.Count);
        double step = (width - Left - (gap * (stretches.Count - 1.0))) / bars;
        int most = stretches.Max(stretch => stretch.Bars.Max(bar => bar.All));
        (double scale, string unit) = most / (double)seconds >= 1 ? (1.0 / seconds, "rows/s") : (60.0 / seconds, "rows/min");
        bool hasBottlenecks = timeline.Bottlenecks.Count > 0;

        var svg = new Markup();
        svg.Add($"<svg viewBox=\"0 0 {width} {Bottom + 38}\" role=\"img\" ");
        svg.Add($"aria-label=\"Rows over time: at most {most * scale:0.#} {unit}\">");
        svg.Add($"<line class=\"grid\" x1=\"{Left}\" x2=\"{width}\" y1=\"{Top}\" y2=\"{Top}\"/>");
        svg.Add($"<line class=\"axis\" x1=\"{Left}\" x2=\"{width}\" y1=\"{Bottom}\" y2=\"{Bottom}\"/>");
        svg.Add($"<text x=\"{Left - 6}\" y=\"{Top + 4}\" text-anchor=\"end\">{most * scale:#,0.#}</text>");
        svg.Add($"<text x=\"{Left - 6}\" y=\"{Top + 18}\" text-anchor=\"end\">{unit}</text>");
        svg.Add($"<text x=\"{Left - 6}\" y=\"{Bottom}\" text-anchor=\"end\">0</text>");
        double x = Left;
        for (var i = 0; i < stretches.Count; i++)
        {
            if (i > 0)
            {
                long pause = (stretches[i].FirstBar - stretches[i - 1].LastBar - 1) * seconds;
                double middle = x + (gap / 2.0);
                svg.Add($"<line class=\"pause\" x1=\"{middle:0.#}\" x2=\"{middle:0.#}\" y1=\"{Top}\" y2=\"{Bottom}\">");
                svg.Add($"<title>nothing for {Units.Time(pause * 1000)}</title></line>");
                x += gap;
            }

            Draw(svg, timeline, stretches[i], x, step, seconds, most, scale, unit);
            x += step * stretches[i].Bars.Count;
        }

        Labels(svg, width, stretches, seconds, step, gap, Bottom + (hasBottlenecks ? 34 : 20));
        return svg.Add($"</svg>");
    }

    private static void Draw(
        Markup svg, Timeline timeline, Timeline.Stretch stretch, double x, double step, int seconds, int most, double scale, string unit)
    {
        for (var i = 0; i < stretch.Bars.Count; i++, x += step)
        {
            Timeline.Counts bar = stretch.Bars[i];
            if (bar.All == 0)
            {
                continue;
            }

            double y = Bottom;
            string limit = bar.Factor >= 0 ? ", limited by " + timeline.Bottlenecks[bar.Factor].Replace('_', ' ') : "";
            svg.Add($"<g><title>{When(stretch.FirstBar + i, seconds)}: ");
            svg.Add($"{bar.All * scale:#,0.##} {unit}, {bar.Failed:N0} failed{limit}</title>");
            Piece(svg, "answered", x, step, ref y, bar.Answered, most);
            Piece(svg, "cached", x, step, ref y, bar.Known, most);
            Piece(svg, "failed", x, step, ref y, bar.Failed, most);
            if (bar.Factor >= 0)
            {
                string kind = ClassOf(timeline.Bottlenecks[bar.Factor]);
                svg.Add($"<rect class=\"{kind}\" x=\"{x:0.##}\" y=\"{Bottom + 6}\" width=\"{step:0.##}\" height=\"8\"/>");
            }

            svg.Add($"</g>");
        }
    }

    private static void Piece(Markup svg, string kind, double x, double step, ref double y, int count, int most)
    {
        if (count > 0)
        {
            double height = Math.Max(0.75, (Bottom - Top) * (count / (double)most));
            y -= height;
            svg.Add($"<rect class=\"{kind}\" x=\"{x + (step * 0.05):0.##}\" y=\"{y:0.##}\" ");
            svg.Add($"width=\"{step * 0.9:0.##}\" height=\"{height:0.##}\"/>");
        }
    }

    // Labels the start of each stretch and times in between, if there is room, with the date where it changes.
    private static void Labels(
        Markup svg, int width, IReadOnlyList<Timeline.Stretch> stretches, int seconds, double step, int gap, int y)
    {
        const double Time = 65;
        const double DayAndTime = 125;
        double x = Left;
        double free = 0;
        DateTime day = default;
        foreach (Timeline.Stretch stretch in stretches)
        {
            double end = x + (stretch.Bars.Count * step);
            int every = Timeline.RoundWidth((long)Math.Ceiling(DayAndTime / step) * seconds, seconds) / seconds;
            for (var i = 0; i < stretch.Bars.Count; i += every)
            {
                double at = x + (i * step);
                DateTime time = DateTimeOffset.FromUnixTimeSeconds((stretch.FirstBar + i) * seconds).UtcDateTime;
                double room = time.Date == day ? Time : DayAndTime;
                if (at >= free && at + room <= (i == 0 ? width : end))
                {
                    string label = When(stretch.FirstBar + i, seconds);
                    label = time.Date == day ? label[(label.IndexOf(',', StringComparison.Ordinal) + 2)..] : label;
                    svg.Add($"<line class=\"axis\" x1=\"{at:0.#}\" x2=\"{at:0.#}\" y1=\"{y - 16}\" y2=\"{y - 12}\"/>");
                    svg.Add($"<text x=\"{at:0.#}\" y=\"{y}\">{label}</text>");
                    day = time.Date;
                    free = at + room;
                }
            }

            x = end + gap;
        }
    }

    private static string When(long bar, int seconds)
    {
        DateTimeOffset time = DateTimeOffset.FromUnixTimeSeconds(bar * seconds);
        return time.ToString(seconds < 60 ? "MMM d, HH:mm:ss" : "MMM d, HH:mm", CultureInfo.InvariantCulture);
    }
}
