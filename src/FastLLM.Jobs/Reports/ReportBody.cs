using System.Globalization;

namespace FastLLM.Jobs.Reports;

/// <summary>Builds the visible page: the totals of the rows, and the place for their table.</summary>
internal static class ReportBody
{
    public static Markup Of(string name, string output, OutputReport report, Totals totals, int textLength)
    {
        var body = new Markup();
        body.Add($"<main>\n<header>\n<p class=\"kind\">fastllm report</p>\n");
        body.Add($"<h1><bdi>{name}</bdi></h1>\n<p class=\"when\">{When(totals)}{From(name, output)}</p>\n</header>\n");
        body.Add($"{Notes(report, totals, textLength)}{Tiles(report)}{Outcomes(report)}{OverTime(totals)}<div class=\"cards\">\n");
        body.Add($"{AnswerCards.Of(report, totals.Fields)}");
        body.Add($"{Spread("Length of an answer, in characters", totals.AnswerLengths, Units.Number)}");
        body.Add($"{Spread("Latency of the last send", totals.Latency, Units.Time)}");
        body.Add($"{Spread("Output tokens of an answer", totals.CompletionTokens, Units.Number)}");
        body.Add($"{Spread("Input tokens of a request", totals.PromptTokens, Units.Number)}<div class=\"stack\">");
        body.Add($"{Ranking("How answers end", "Finish reason", report.FinishReasons, report.Succeeded)}");
        body.Add($"{Ranking("Models", "Model", report.Models, report.Succeeded)}</div></div>\n{Failures(report)}");
        return body.Add($$"""
            <section class="rows" aria-labelledby="rows-title">
            <h2 id="rows-title">Rows</h2>
            <noscript><p class="note">The table of rows needs JavaScript. The rest of this page does not.</p></noscript>
            <form id="find" role="search">
            <label for="text">Find</label>
            <input id="text" type="search" placeholder="question, answer, id, model, failure …" autocomplete="off" spellcheck="false">
            <label for="filter">Show</label><select id="filter"></select>
            <output id="found" for="text filter"></output>
            </form>
            <table>
            <thead><tr>
            <th aria-sort="ascending"><button type="button" data-sort="0">Line</button></th>
            <th><button type="button" data-sort="1">Id</button></th>
            <th><button type="button" data-sort="2">Outcome</button></th>
            <th class="number"><button type="button" data-sort="5">Latency</button></th>
            <th class="number"><button type="button" data-sort="7">Output</button></th>
            <th class="wide">Question</th>
            <th class="wide">Answer or failure</th>
            </tr></thead>
            <tbody id="table"></tbody>
            </table>
            <nav aria-label="Pages">
            <button type="button" id="back">Back</button><span id="page"></span><button type="button" id="next">Next</button>
            </nav>
            </section>
            </main>

            """);
    }

    private static string When(Totals totals)
    {
        if (totals.Times.IsEmpty)
        {
            return "The file does not state when.";
        }

        string from = totals.Times.First.UtcDateTime.ToString("MMMM d, yyyy, HH:mm:ss", CultureInfo.InvariantCulture);
        bool sameDay = totals.Times.First.UtcDateTime.Date == totals.Times.Last.UtcDateTime.Date;
        string to = totals.Times.Last.UtcDateTime.ToString(sameDay ? "HH:mm:ss" : "MMMM d, yyyy, HH:mm:ss", CultureInfo.InvariantCulture);
        return from == to || from.EndsWith(to, StringComparison.Ordinal) ? $"{from} UTC" : $"{from} – {to} UTC";
    }

    private static Markup Notes(OutputReport report, Totals totals, int textLength)
    {
        var notes = new Markup();
        bool isForeign = totals.Own == 0 && report.Rows > 0;
        string fit = report.FailedInPage < report.Failed ? " that fit" : "";
        string damaged = report.Damaged == 1 ? "is no record" : "are no records";
        string asked = totals.Simulated == 1 ? "answer is" : "answers are";
        Note(totals.Simulated, $"<b>{totals.Simulated:N0} {asked} made up</b> by the simulator: no model was asked, and nothing was paid.");
        Note(report.Damaged, $"<b>{report.Damaged:N0} line{Plural(report.Damaged)}</b> of the file {damaged} and not counted here.");
        Note(report.Replaced, $"{report.Replaced:N0} earlier record{Plural(report.Replaced)} of rows that were resent: the last counts.");
        Note(report.MaybeBilled, $"{report.MaybeBilled:N0} send{Plural(report.MaybeBilled)} got no answer but may be billed.");
        string unknown = "latency, sends, cached and shared answers are unknown.";
        Note(isForeign ? 1 : 0, $"Written by another tool, or without the member <code>fastllm</code>: {unknown}");
        long lacking = isForeign ? 0 : report.Rows - totals.Own;
        Note(lacking, $"{lacking:N0} rows lack the member <code>fastllm</code>: their latency and sends are unknown.");
        string choice = $"the failures{fit}, and an even choice of the others. Numbers and charts count all rows.";
        Note(report.Rows - report.RowsInPage, $"The table below holds <b>{report.RowsInPage:N0} of {report.Rows:N0} rows</b>: {choice}");
        string cut = $"answer{Plural(report.CutInPage)} at {textLength:N0} characters";
        Note(report.CutInPage, $"The table cuts {report.CutInPage:N0} {cut}; the file has the whole text.");
        return notes.ToString().Length == 0 ? notes : new Markup().Add($"<ul class=\"notes\">{notes}</ul>\n");

        void Note(long count, FormattableString text)
        {
            if (count > 0)
            {
                notes.Add($"<li>").Add(text).Add($"</li>");
            }
        }
    }

    private static Markup Tiles(OutputReport report)
    {
        var tiles = new Markup();
        Tile(tiles, "Rows", Whole(report.Rows), report.Sends > 0 ? $"{report.Sends:N0} sends" : $"");
        Tile(tiles, "Answered", Units.Percent(report.Succeeded, report.Rows), $"{report.Succeeded:N0} rows");
        Tile(tiles, "Failed", Whole(report.Failed), report.Failed == 0 ? "" : Units.Percent(report.Failed, report.Rows));
        if (report.Latency is { Count: > 0 } latency)
        {
            Tile(tiles, "Median latency", Units.Time(latency.Median), $"99 % within {Units.Time(latency.P99)}");
        }

        if (report.CompletionTokens is { Count: > 0 } output)
        {
            Tile(tiles, "Output tokens", Units.Number(output.Sum), $"{Units.Number(output.Median)} in half of the answers");
        }

        if (report.PromptTokens is { Count: > 0 } input)
        {
            Tile(tiles, "Input tokens", Units.Number(input.Sum), $"{Units.Number(input.Median)} in half of the requests");
        }

        if (report.Cost is { } cost)
        {
            string rows = report.RowsWithCost < report.Rows ? $"of the {Whole(report.RowsWithCost)} rows that state it" : "";
            Tile(tiles, "Cost", string.Create(CultureInfo.InvariantCulture, $"${cost:#,0.00##}"), rows);
        }

        return new Markup().Add($"<dl class=\"tiles\">{tiles}</dl>\n");
    }

    private static void Tile(Markup tiles, string name, string value, FormattableString more) =>
        Tile(tiles, name, value, FormattableString.Invariant(more));

    private static void Tile(Markup tiles, string name, string value, string more) =>
        tiles.Add($"<div><dt>{name}</dt><dd>{value}<small>{more}</small></dd></div>");

    private static Markup Outcomes(OutputReport report)
    {
        if (report.Rows == 0)
        {
            return new Markup();
        }

        (string Class, string Name, long Count)[] parts =
        [
            ("answered", "answered", report.Succeeded - report.Cached - report.Shared), ("cached", "from the cache", report.Cached),
            ("shared", "shared with an equal row", report.Shared), ("failed", "failed", report.Failed),
        ];
        var bar = new Markup();
        var legend = new Markup();
        double x = 0;
        foreach ((string kind, string name, long count) in parts.Where(part => part.Count > 0))
        {
            double width = Math.Max(2, 1140.0 * count / report.Rows);
            bar.Add($"<rect class=\"{kind}\" x=\"{x:0.##}\" width=\"{width:0.##}\" height=\"14\"><title>{count:N0} {name}</title></rect>");
            legend.Add($"<li>{Key(kind)}{count:N0} {name} <span>{Units.Percent(count, report.Rows)}</span></li>");
            x += width;
        }

        return new Markup()
            .Add($"<section aria-label=\"Outcomes\" class=\"outcomes\">")
            .Add($"<svg viewBox=\"0 0 {x:0.##} 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{bar}</svg>")
            .Add($"<ul class=\"legend\">{legend}</ul></section>\n");
    }

    private static Markup Key(string kind) => new Markup()
        .Add($"<svg class=\"key\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"{kind}\" width=\"10\" height=\"10\"/></svg>");

    private static Markup OverTime(Totals totals)
    {
        if (totals.Times.IsEmpty)
        {
            return new Markup();
        }

        var legend = new Markup();
        IReadOnlyList<ReportCount> factors = totals.Bottlenecks.Ranked();
        long all = factors.Sum(factor => factor.Count);
        foreach (ReportCount factor in factors.Take(8))
        {
            string name = factor.Name.Replace('_', ' ');
            legend.Add($"<li>{Key(TimeChart.ClassOf(factor.Name))}{name} <span>{Units.Percent(factor.Count, all)}</span></li>");
        }

        string source = totals.TimesAreTheProviders ? "by the time when the provider answered, UTC" : "by the time of writing, UTC";
        Markup section = new Markup()
            .Add($"<section class=\"card\"><h2>Rows over time <small>{source}</small></h2>")
            .Add($"<div class=\"time\" tabindex=\"0\" role=\"region\" aria-label=\"Rows over time\">{TimeChart.Draw(totals.Times)}</div>")
            .Add($"<div class=\"time narrow\">{TimeChart.Draw(totals.Times, TimeChart.Narrow)}</div>");
        if (all > 0)
        {
            section.Add($"<ul class=\"legend\"><li class=\"title\">The strip: the bottleneck, by rows</li>{legend}</ul>");
        }

        return section.Add($"</section>\n");
    }

    private static Markup Spread(string title, Histogram histogram, Func<long, string> unit) => histogram.Count == 0
        ? new Markup()
        : new Markup().Add($"""
            <section class="card"><h2>{title} <small>{histogram.Count:N0} rows</small></h2>{BarChart.Draw(title, histogram, unit)}
            <p class="spread"><span>median <b>{unit(histogram.Quantile(0.5))}</b></span>
            <span>90 % <b>{unit(histogram.Quantile(0.9))}</b></span>
            <span>99 % <b>{unit(histogram.Quantile(0.99))}</b></span>
            <span>max <b>{unit(histogram.Max)}</b></span></p></section>

            """);

    private static Markup Ranking(string title, string column, IReadOnlyList<ReportCount> counts, long all)
    {
        if (counts.Count == 0)
        {
            return new Markup();
        }

        var rows = new Markup();
        foreach (ReportCount count in counts.Take(12))
        {
            rows.Add($"<tr>{Cells(count, all)}</tr>");
        }

        if (counts.Count > 12)
        {
            long more = counts.Skip(12).Sum(count => count.Count);
            rows.Add($"<tr><td>{counts.Count - 12:N0} more</td><td class=\"number\">{more:N0}</td><td></td></tr>");
        }

        return new Markup()
            .Add($"<section class=\"card\"><h2>{title}</h2><table class=\"ranking\">")
            .Add($"<thead><tr><th>{column}</th><th class=\"number\">Rows</th><th class=\"number\">Share</th></tr></thead>")
            .Add($"<tbody>{rows}</tbody></table></section>\n");
    }

    private static Markup From(string name, string output) =>
        name == output ? new Markup() : new Markup().Add($" · from <bdi>{output}</bdi>");

    private static Markup Cells(ReportCount count, long all) => new Markup()
        .Add($"<td><button type=\"button\" data-show=\"{count.Name}\"><bdi>{count.Name}</bdi></button></td>")
        .Add($"<td class=\"number\">{count.Count:N0}</td><td class=\"number\">{Units.Percent(count.Count, all)}</td>");

    private static Markup Failures(OutputReport report)
    {
        if (report.Failures.Count == 0)
        {
            return new Markup();
        }

        var rows = new Markup();
        foreach (ReportCount count in report.Failures.Take(25))
        {
            rows.Add($"<tr>{Cells(count, report.Failed)}<td class=\"wide\" dir=\"auto\">{count.Example}</td></tr>");
        }

        return new Markup()
            .Add($"<section class=\"card\"><h2>Failures by kind</h2><table class=\"ranking\"><thead><tr><th>Kind</th>")
            .Add($"<th class=\"number\">Rows</th><th class=\"number\">Share</th><th class=\"wide\">First message</th></tr></thead>")
            .Add($"<tbody>{rows}</tbody></table></section>\n");
    }

    private static string Whole(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    private static string Plural(long count) => count == 1 ? "" : "s";
}
