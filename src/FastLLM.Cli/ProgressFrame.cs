using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FastLLM.Cli;

/// <summary>Lays out the live display: a few lines, each of which fits the terminal.</summary>
internal static class ProgressFrame
{
    /// <summary>The width from which the last answers are shown.</summary>
    public const int WideFrom = 100;

    private const int MinBar = 10;
    private const int MaxBar = 60;

    private static readonly Style s_plain = Style.Plain;
    private static readonly Style s_dim = new(Color.Grey);
    private static readonly Style s_good = new(Color.Green);
    private static readonly Style s_bad = new(Color.Red);
    private static readonly Style s_warning = new(Color.Yellow);

    /// <summary>Returns the lines of the display.</summary>
    /// <param name="state">What to show.</param>
    /// <param name="width">The number of columns of the terminal.</param>
    /// <param name="unicode">Whether the terminal shows more than ASCII.</param>
    public static IReadOnlyList<IReadOnlyList<Segment>> Lines(ProgressState state, int width, bool unicode)
    {
        List<List<Segment>> lines = [Bar(state, width, unicode), Outcomes(state), Speed(state)];
        if (Cost(state) is { Count: > 0 } cost)
        {
            lines.Add(cost);
        }

        lines.Add(InFlight(state));
        if (state.LastError is { } error)
        {
            lines.Add([new Segment("last failure  ", s_dim), new Segment(error, s_bad)]);
        }

        if (width >= WideFrom)
        {
            lines.AddRange(state.Answers.Select(answer => (List<Segment>)
                [new Segment($"row {answer.Id}  ", s_dim), new Segment(answer.Text, s_plain)]));
        }

        lines.Add(State(state));

        // The last column stays free: some terminals wrap when it is written.
        return [.. lines.Where(line => line.Count > 0).Select(line => Crop(line, width - 1, unicode))];
    }

    private static List<Segment> Bar(ProgressState state, int width, bool unicode)
    {
        string text = $" {ProgressText.Done(state.Stats, state.Total, state.Kept)}  "
            + ProgressText.Clock(state.Stats, state.Total, state.Elapsed, state.Kept).Replace(" · ", "  ", StringComparison.Ordinal);
        if (state.Total is not { } total || total <= 0)
        {
            return [new Segment(text.TrimStart(), s_plain)];
        }

        int cells = Math.Clamp(width - 1 - text.Length, MinBar, MaxBar);
        var full = (int)(cells * ProgressText.Share(state.Stats, total, state.Kept));
        Style style = state.Controls?.IsPaused == true || state.IsDraining ? s_warning : s_good;
        return
        [
            new Segment(new string(unicode ? '━' : '#', full), style),
            new Segment(new string(unicode ? '━' : '-', cells - full), s_dim),
            new Segment(text, s_plain),
        ];
    }

    private static List<Segment> Outcomes(ProgressState state)
    {
        TokenStats stats = state.Stats;
        List<Segment> line = [];
        Add(line, Count(stats.RequestsCompleted - stats.Failed), "ok", s_good);
        Add(line, Count(stats.Failed), "failed", stats.Failed > 0 ? s_bad : s_plain);
        Add(line, Count(stats.CacheHits), "cached", s_plain);
        Add(line, Count(stats.Shared), "deduplicated", s_plain);
        if (state.Kept > 0)
        {
            Add(line, Count(state.Kept), "kept", s_plain);
        }

        return line;
    }

    private static List<Segment> Speed(ProgressState state)
    {
        TokenStats stats = state.Stats;
        List<Segment> line = [];
        Add(line, state.RowsPerSecond is { } rate ? ProgressText.Rate(rate) : "…", "rows/s", s_plain);
        Add(line, Count(stats.PromptTokens), "tokens in", s_plain);
        Add(line, Count(stats.CompletionTokens), "out", s_plain);
        Add(line, Count(stats.Retried), stats.Retried == 1 ? "retry" : "retries", stats.Retried > 0 ? s_warning : s_plain);
        if (stats.Throttled > 0)
        {
            Add(line, Count(stats.Throttled), "throttled", s_warning);
        }

        return line;
    }

    private static List<Segment> Cost(ProgressState state)
    {
        List<Segment> line = [];
        if (state.Stats.Cost > 0)
        {
            Add(line, CostText.Dollars(state.Stats.Cost), "so far", s_plain);
            if (ProgressText.Forecast(state.Stats, state.Total, state.Kept) is { } all)
            {
                Add(line, "about " + CostText.Dollars(all), "in all", s_plain);
            }
        }

        if (state.Stats.Unpriced > 0)
        {
            Add(line, Count(state.Stats.Unpriced), "without a price", s_warning);
        }

        return line;
    }

    private static List<Segment> InFlight(ProgressState state)
    {
        TokenStats stats = state.Stats;
        List<Segment> line = [];
        string limit = stats.ConcurrencyLimit > 0 ? "/" + Count(stats.ConcurrencyLimit) : "";
        Add(line, Count(stats.InFlight) + limit, "in flight", s_plain);
        if (stats.LimitedBy != Bottleneck.None && state is { Controls: not { IsPaused: true }, IsDraining: false })
        {
            line.Add(new Segment("   bottleneck ", s_dim));
            line.Add(new Segment(BottleneckText.Name(stats.LimitedBy), s_plain));
        }

        foreach (string learned in BottleneckText.Learned(stats, most: 1))
        {
            line.Add(new Segment("   provider ", s_dim));
            line.Add(new Segment(learned, s_plain));
        }

        return line;
    }

    private static List<Segment> State(ProgressState state) => state switch
    {
        { IsDraining: true } => [new Segment(ProgressText.Drain(state.Stats), s_warning)],
        { Controls.IsPaused: true } =>
            [new Segment("Paused. What is in flight is awaited. Press p to continue, or q to stop.", s_warning)],
        { Controls.OnlyStops: true } => [new Segment("q stop", s_dim)],
        { Controls: not null } => [new Segment("p pause   + - requests in flight   q stop", s_dim)],
        _ => [],
    };

    private static void Add(List<Segment> line, string value, string name, Style style)
    {
        line.Add(new Segment(line.Count > 0 ? "   " + value : value, style));
        line.Add(new Segment(" " + name, s_dim));
    }

    private static List<Segment> Crop(List<Segment> line, int width, bool unicode)
    {
        List<Segment> cropped = [];
        int left = Math.Max(1, width);
        foreach (Segment segment in line)
        {
            int cells = segment.CellCount();
            if (cells <= left)
            {
                cropped.Add(segment);
                left -= cells;
                continue;
            }

            if (left > 1 && Segment.Truncate(segment, left - 1) is { } part)
            {
                cropped.Add(part);
                cropped.Add(new Segment(unicode ? "…" : ">", segment.Style));
            }

            break;
        }

        return cropped;
    }

    private static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);
}
