namespace FastLLM.Jobs.Reports;

/// <summary>Builds the cards that show which answers come how often.</summary>
/// <remarks>Where the same few come again and again, they are labels. Others have no distribution worth showing.</remarks>
internal static class AnswerCards
{
    private const int MostShown = 12;

    /// <summary>Returns a card for each field of answers that are JSON, or one for short answers.</summary>
    public static Markup Of(OutputReport report, AnswerFields fields)
    {
        var cards = new Markup();
        foreach ((string name, IReadOnlyList<ReportCount> values) in fields.Ranked())
        {
            long rows = values.Sum(value => value.Count);
            ReportCount[] shown = Repeated(values);
            if (shown.Length > 0 && 2 * shown.Sum(value => value.Count) >= rows)
            {
                cards.Add($"{Card(new Markup().Add($"<bdi>{name}</bdi> <small>{rows:N0} answers</small>"), name, name, shown, rows)}");
            }
        }

        ReportCount[] answers =
            [.. Repeated(report.ShortAnswers).Where(answer => fields.Answers == 0 || answer.Name[0] is not ('{' or '`'))];
        return answers.Length == 0 ? cards
            : cards.Add($"{Card(new Markup().Add($"Most frequent answers"), "Answer", null, answers, report.Succeeded)}");
    }

    private static ReportCount[] Repeated(IReadOnlyList<ReportCount> counts) =>
        [.. counts.Where(count => count.Count > 1 && count.Name != Tally.Others).Take(MostShown)];

    private static Markup Card(Markup title, string column, string? field, ReportCount[] shown, long all)
    {
        var rows = new Markup();
        Markup ofField = field is null ? new Markup() : new Markup().Add($" data-field=\"{field}\"");
        foreach (ReportCount value in shown)
        {
            double width = Math.Max(1, 100.0 * value.Count / Math.Max(1, all));
            rows.Add($"<tr><td><button type=\"button\" data-find=\"{value.Name}\"{ofField}><bdi>{value.Name}</bdi></button></td>");
            rows.Add($"<td class=\"share\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
            rows.Add($"<rect class=\"bar\" width=\"{width:0.##}\" height=\"10\"/></svg></td>{Numbers(value.Count, all)}</tr>");
        }

        long others = all - shown.Sum(value => value.Count);
        if (others > 0)
        {
            rows.Add($"<tr><td>others</td><td class=\"share\"></td>{Numbers(others, all)}</tr>");
        }

        return new Markup()
            .Add($"<section class=\"card\"><h2>{title}</h2><table class=\"ranking\">")
            .Add($"<thead><tr><th>{column}</th><th class=\"share\"></th>")
            .Add($"<th class=\"number\">Rows</th><th class=\"number\">Share</th></tr></thead>")
            .Add($"<tbody>{rows}</tbody></table></section>\n");
    }

    private static Markup Numbers(long count, long all) =>
        new Markup().Add($"<td class=\"number\">{count:N0}</td><td class=\"number\">{Units.Percent(count, all)}</td>");
}
