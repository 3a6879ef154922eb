using System.Globalization;

namespace FastLLM.TestKit.Faults;

/// <summary>One fault, and what must come of it.</summary>
/// <param name="Id">Its number in the list of faults, such as <c>F04</c>.</param>
/// <param name="What">What the server does, in a few words.</param>
/// <param name="Steps">What it does to the first requests.</param>
public sealed record FaultCase(string Id, string What, params IReadOnlyList<FaultStep> Steps)
{
    /// <summary>What it does to all further requests; a good answer where left out.</summary>
    public FaultStep Otherwise { get; init; } = Fault.Respond(200, FaultCases.GoodAnswer);

    /// <summary>How many requests are made.</summary>
    public int Rows { get; init; } = 1;

    /// <summary>What the failed rows are called; <see langword="null"/> where all are answered.</summary>
    public FailureKind? Kind { get; init; }

    /// <summary>How many requests the server must see.</summary>
    public int Sends { get; init; } = 1;

    /// <summary>The most that it may see, where chance has a say.</summary>
    public int? MaxSends { get; init; }

    /// <summary>How many sends may be billed although they brought no answer.</summary>
    public int MaybeBilled { get; init; }

    /// <summary>Whether the run stops.</summary>
    public bool Stops { get; init; }

    /// <summary>Whether the fault is one of time: then the clock stands still but for the moments at which the server has received a request.</summary>
    public bool IsTimed { get; init; }

    /// <summary>How the manager differs from the usual one.</summary>
    public Action<RequestManagerOptions>? Options { get; init; }

    /// <summary>A server that must see nothing.</summary>
    public FaultServer? Bystander { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Id} {What}";
}

/// <summary>What came of a <see cref="FaultCase"/>.</summary>
public sealed record FaultFigures(
    FaultCase Case, int Answered, int Failed, int NotSent, FailureKind? Kind, long Attempts, int ServerSends, int ServerFinished, long MaybeBilled, int Lost, int Duplicates, int CanaryHits, double Seconds, double PeakMegabytes)
{
    /// <summary>The names of the columns of <see cref="ToCsv"/>.</summary>
    public const string Header = "case,what,as_expected,rows,answered,failed,not_sent,kind,attempts,server_sends,server_finished,maybe_billed,lost,duplicate,canary_hits,wall_s,peak_rss_mb";

    /// <summary>What is wrong with it; empty where it is as expected.</summary>
    public IReadOnlyList<string> Faults => [.. Check()];

    /// <summary>One line.</summary>
    public string ToCsv() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Case.Id},\"{Case.What}\",{(Faults.Count == 0 ? "yes" : "NO")},{Case.Rows},{Answered},{Failed},{NotSent},{Kind},{Attempts},{ServerSends},{ServerFinished},{MaybeBilled},{Lost},{Duplicates},{CanaryHits},{Seconds:0.000},{PeakMegabytes:0}");

    private IEnumerable<string> Check()
    {
        if (Kind != Case.Kind)
        {
            yield return $"classified as {Kind?.ToString() ?? "answered"}, not as {Case.Kind?.ToString() ?? "answered"}";
        }

        if (ServerSends < Case.Sends || ServerSends > (Case.MaxSends ?? Case.Sends))
        {
            yield return $"the server saw {ServerSends} requests, not {Case.Sends} to {Case.MaxSends ?? Case.Sends}";
        }

        if (Attempts != ServerSends)
        {
            yield return $"{Attempts} attempts were counted, and the server saw {ServerSends}: something was sent behind the engine's back";
        }

        if (MaybeBilled != Case.MaybeBilled && Case.MaxSends is null)
        {
            yield return $"{MaybeBilled} sends count as maybe billed, not {Case.MaybeBilled}";
        }

        if (Lost + Duplicates + CanaryHits > 0)
        {
            yield return $"{Lost} lost, {Duplicates} twice, the key in {CanaryHits} places";
        }

        if (Case.Bystander is { Connections: > 0 } bystander)
        {
            yield return $"the other host was connected to {bystander.Connections} times";
        }
    }
}
