namespace FastLLM.RateLimiting;

/// <summary>Counts what is sent and refused from one report to the next.</summary>
internal sealed class SendRate
{
    private int _sent;
    private int _refused;
    private double _from;

    /// <summary>Gets the sends a second between the last two reports.</summary>
    public double Sent { get; private set; }

    /// <summary>Gets the sends a second that were not refused lately.</summary>
    public double Accepted { get; private set; }

    /// <summary>Counts a send.</summary>
    public void Send() => _sent++;

    /// <summary>Counts a refusal.</summary>
    public void Refuse() => _refused++;

    /// <summary>Starts to count for the next report.</summary>
    public void Next(double now)
    {
        double time = Math.Max(now - _from, 0.1);
        Sent = _sent / time;
        Accepted += ((Math.Max(_sent - _refused, 0) / time) - Accepted) / 2;
        (_sent, _refused, _from) = (0, 0, now);
    }
}
