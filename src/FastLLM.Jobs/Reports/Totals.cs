namespace FastLLM.Jobs.Reports;

/// <summary>Adds up the rows of an output. Each property is a number of the report.</summary>
internal sealed class Totals
{
    private const int MaxShortAnswer = 60;

    private readonly Timeline _written = new();
    private readonly Timeline _created = new();

    public long Rows { get; private set; }

    public long Failed { get; private set; }

    public long Cached { get; private set; }

    public long Shared { get; private set; }

    public long Sends { get; private set; }

    public long MaybeBilled { get; private set; }

    public long Own { get; private set; }

    public long Simulated { get; private set; }

    public decimal? Cost { get; private set; }

    public long Costed { get; private set; }

    public Tally Failures { get; } = new();

    public Tally FinishReasons { get; } = new();

    public Tally Models { get; } = new();

    public Tally Bottlenecks { get; } = new();

    public Histogram Latency { get; } = new();

    public Histogram PromptTokens { get; } = new();

    public Histogram CompletionTokens { get; } = new();

    /// <summary>Gets the lengths of answers, in characters.</summary>
    public Histogram AnswerLengths { get; } = new();

    /// <summary>Gets the short answers, such as labels.</summary>
    public Tally ShortAnswers { get; } = new();

    /// <summary>Gets the values in answers that are JSON objects.</summary>
    public AnswerFields Fields { get; } = new();

    /// <summary>Gets when rows were written or, if no row states that, when the provider created their answers.</summary>
    public Timeline Times => _written.IsEmpty ? _created : _written;

    /// <summary>Gets a value indicating whether <see cref="Times"/> are the provider's.</summary>
    public bool TimesAreTheProviders => _written.IsEmpty && !_created.IsEmpty;

    public void Add(ReportRow row)
    {
        bool wasSent = !row.IsCached && !row.IsShared;
        Rows++;
        Failed += row.Succeeded ? 0 : 1;
        Cached += row.Succeeded && row.IsCached ? 1 : 0;
        Shared += row.Succeeded && row.IsShared && !row.IsCached ? 1 : 0;
        Own += row.IsOwn ? 1 : 0;
        Simulated += row.Succeeded && row.IsSimulated ? 1 : 0;
        Sends += row.Attempts ?? 0;
        MaybeBilled += row.MaybeBilled ?? 0;
        if (row.Cost is { } cost)
        {
            Cost = (Cost ?? 0) + cost;
            Costed++;
        }

        if (row.Succeeded)
        {
            Count(PromptTokens, row.PromptTokens);
            AnswerLengths.Add(row.Words.Length);
            Fields.Add(row.Words);
            AddIfNamed(ShortAnswers, row.Words.Length <= MaxShortAnswer ? row.Words.Trim() : "");
            Count(CompletionTokens, row.CompletionTokens);
            AddIfNamed(FinishReasons, row.FinishReason);
            AddIfNamed(Models, row.Model);
        }
        else
        {
            Failures.Add(row.Failure, Text.Cut(row.Words, 400));
        }

        Count(Latency, wasSent ? row.Latency : null);
        AddIfNamed(Bottlenecks, row.LimitedBy ?? "");
        if (row.At is { } at)
        {
            _written.Add(at, row.Succeeded, wasSent, row.LimitedBy);
        }
        else if (row.Created is { } created && wasSent)
        {
            _created.Add(created, row.Succeeded, wasSent, row.LimitedBy);
        }
    }

    private static void Count(Histogram histogram, long? value)
    {
        if (value is { } known)
        {
            histogram.Add(known);
        }
    }

    private static void AddIfNamed(Tally tally, string name)
    {
        if (name.Length > 0)
        {
            tally.Add(name);
        }
    }
}
