using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator.Serving;

/// <summary>Represents one send. Each step of <see cref="SendHandler"/> adds what it finds out, hence the many members.</summary>
internal sealed class Send(ServedPath path)
{
    public ServedPath Path { get; } = path;

    /// <summary>The hash of the body; the default until the body has arrived whole.</summary>
    public BodyHash Hash { get; set; }

    /// <summary>The request's number in the ledger; 0 where there is none.</summary>
    public long Entry { get; set; }

    /// <summary>Whether it counts as in flight for the laws of throttling.</summary>
    public bool HoldsPlace { get; set; }

    /// <summary>Whether it has taken its part of the quota.</summary>
    public bool HasPaid { get; set; }

    public SimulatorFault Fault { get; set; }

    public TimeSpan Latency { get; set; }

    /// <summary>What the limits say, for the headers.</summary>
    public RateVerdict? Rate { get; set; }

    /// <summary>The status of the answer; 0 until it is known.</summary>
    public int Status { get; set; }

    public AnswerFacts Facts { get; set; }

    /// <summary>The body of the answer, as far as it is written.</summary>
    public JsonOut? Output { get; set; }

    /// <summary>Whether the answer comes as events; errors never do.</summary>
    public bool IsStream => Facts.Streamed && Status == 200;
}
