namespace FastLLM.Jobs.Reports;

/// <summary>Draws the distribution of a number.</summary>
internal static class BarChart
{
    private const int MaxBars = 40;
    private const int Width = 560;
    private const int Left = 4;
    private const int Top = 18;
    private const int Bottom = 150;
    private const double Widest = 32;

    private static readonly int[] s_labelEvery = [1, 2, 5, 10, 20];

    /// <summary>Draws one bar for each step of the number, and one for everything above the last step.</summary>
    /// <param name="name">The name of the number.</param>
    /// <param name="histogram">The counts, at least one.</param>
    /// <param name="unit">Formats a number.</param>
    public static Markup Draw(string name, Histogram histogram, Func<long, string> unit)
    {
        (long width, long[] bars, long above) = histogram.Bars(MaxBars);
        long most = Math.Max(above, bars.Max());
        double step = Math.Min(Widest, (Width - (2.0 * Left)) / (bars.Length + (above > 0 ? 1.5 : 0)));
        var svg = new Markup();
        svg.Add($"<svg viewBox=\"0 0 {Width} {Bottom + 22}\" role=\"img\" aria-label=\"{name}: ");
        svg.Add($"half of {histogram.Count:N0} have at most {unit(histogram.Quantile(0.5))}, the maximum is {unit(histogram.Max)}\">");
        svg.Add($"<line class=\"axis\" x1=\"0\" x2=\"{Width}\" y1=\"{Bottom}\" y2=\"{Bottom}\"/>");
        for (var i = 0; i < bars.Length; i++)
        {
            string range = width == 1 ? unit(i) : $"{unit(Edge(i, width))} – {unit(Edge(i + 1, width))}";
            Bar(svg, "bar", Left + (i * step), step, bars[i], most, range);
        }

        if (above > 0)
        {
            Bar(svg, "bar above", Left + (step * (bars.Length + 0.5)), step, above, most, $"{unit(Edge(bars.Length, width))} and more");
        }

        int every = s_labelEvery.First(bold => bars.Length / bold < 9);
        double room = above > 0 ? Left + (step * (bars.Length + 1.5)) - 72 : Width - 20; // the label "more" and half of this one
        for (var i = 0; i < bars.Length + (width > 1 ? 1 : 0); i += every)
        {
            // The bar of one number has its label under its middle, a wider bar that of its start under its left edge.
            double x = Left + ((i + (width == 1 ? 0.5 : 0)) * step);
            if (x < room)
            {
                string anchor = i == 0 && width > 1 ? "start" : "middle";
                svg.Add($"<text x=\"{x:0.#}\" y=\"{Bottom + 16}\" text-anchor=\"{anchor}\">{unit(Edge(i, width))}</text>");
            }
        }

        if (above > 0)
        {
            svg.Add($"<text x=\"{Left + (step * (bars.Length + 1.5)):0.#}\" y=\"{Bottom + 16}\" text-anchor=\"end\">more</text>");
        }

        Marker(svg, "median", histogram.Quantile(0.5), width, bars.Length, step, unit);
        return svg.Add($"</svg>");
    }

    // A server may state any number, also one near the largest.
    private static long Edge(int bar, long width) => bar > long.MaxValue / width ? long.MaxValue : bar * width;

    private static void Bar(Markup svg, string kind, double x, double step, long count, long most, string range)
    {
        if (count == 0)
        {
            return;
        }

        double height = Math.Max(1.5, (Bottom - Top) * (count / (double)most));
        svg.Add($"<rect class=\"{kind}\" x=\"{x + (step * 0.06):0.##}\" y=\"{Bottom - height:0.##}\" ");
        svg.Add($"width=\"{step * 0.88:0.##}\" height=\"{height:0.##}\"><title>{range}: {count:N0} rows</title></rect>");
    }

    private static void Marker(Markup svg, string name, long value, long width, int bars, double step, Func<long, string> unit)
    {
        double x = Left + (Math.Min((value + 0.5) / width, bars) * step);
        bool atRight = x > Width * 0.7;
        svg.Add($"<line class=\"marker\" x1=\"{x:0.#}\" x2=\"{x:0.#}\" y1=\"4\" y2=\"{Bottom}\"/>");
        svg.Add($"<text class=\"strong\" x=\"{x + (atRight ? -5 : 5):0.#}\" y=\"12\" ");
        svg.Add($"text-anchor=\"{(atRight ? "end" : "start")}\">{name} {unit(value)}</text>");
    }
}
