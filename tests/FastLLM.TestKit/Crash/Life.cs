namespace FastLLM.TestKit.Crash;

/// <summary>One process of a job, from its start to its end, and what stood on the disk then.</summary>
public sealed class Life
{
    public required int Job { get; init; }

    public required int Number { get; init; }

    /// <summary>Gets what ended it: <c>random</c>, the name of a kill point, or <c>-</c> where it was left alone.</summary>
    public required string Cause { get; init; }

    public required bool WasKilled { get; init; }

    public required int Exit { get; init; }

    /// <summary>Gets how long it lived.</summary>
    public required TimeSpan Lasted { get; init; }

    /// <summary>Gets the rows that it sent.</summary>
    public required IReadOnlyList<Sent> Sends { get; init; }

    /// <summary>Gets the rows in OUTPUT at its end: what it acknowledged, and what those before it did.</summary>
    public required IReadOnlyDictionary<string, OutputRecordSeen> Acknowledged { get; init; }

    /// <summary>Gets the rows that the store held at its end: the cache, or OUTPUT where there is none. By the SHA-256 of the request's body.</summary>
    public required IReadOnlySet<string> Stored { get; init; }

    public required bool TornTail { get; init; }

    /// <summary>Gets how long it took from its start to its first send.</summary>
    public TimeSpan? TimeToFirstSend { get; init; }

    /// <summary>Gets how many of its sends the server had not answered whole when it died.</summary>
    public int InFlight => Sends.Count(sent => sent.Answer is null);

    /// <summary>Gets how many of its sends the server had answered whole, and no store holds.</summary>
    public int ReceivedUncommitted => Sends.Count(sent => sent.Answer is not null && !Stored.Contains(sent.Body));

    /// <summary>Gets or sets how many of its sends were sent again by later lives.</summary>
    public int SentAgain { get; set; }

    /// <summary>Gets or sets how many rows were lost by its death: acknowledged, and not there later with the same bytes.</summary>
    public int Lost { get; set; }

    /// <summary>Gets or sets how many answers stood in OUTPUT or the store at its end that the server never gave to that request.</summary>
    public int Foreign { get; set; }

    /// <summary>How many answers came within some time before its end: what a commit of that time may hold.</summary>
    public int AnswersWithin(TimeSpan window)
    {
        DateTimeOffset last = Sends.Where(sent => sent.Answer is not null).Select(sent => sent.AnsweredAt).DefaultIfEmpty().Max();
        return Sends.Count(sent => sent.Answer is not null && sent.AnsweredAt >= last - window);
    }
}
