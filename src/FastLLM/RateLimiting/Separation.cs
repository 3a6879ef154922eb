namespace FastLLM.RateLimiting;

/// <summary>Compares how many others are in flight when sends are refused with how many are when others are sent beside them.</summary>
/// <remarks>
/// A limit on what is in flight separates the two. What a limit on the rate refuses meets as many as what it accepts, however many are
/// allowed. What was sent before the first refusal is not compared: fewer were in flight then, and more was left of a rate.
/// </remarks>
internal sealed class Separation
{
    // Beside a limit on the rate, sends meet up to one fewer than the refused one, as that one is not in flight any more.
    private const double LeastMore = 0.5;

    // By chance once in forty times, from so many refusals on.
    private const double Deviations = 2;
    private const int FewestRefused = 3;

    private long _from = -1;
    private int _sent;
    private double _levels;
    private double _squares;
    private int _refused;
    private double _refusedLevels;

    /// <summary>Gets a value indicating whether refused sends met more others in flight than those beside them.</summary>
    public bool IsSeen
    {
        get
        {
            if (_refused < FewestRefused || _sent < 2 * _refused)
            {
                return false;
            }

            double mean = _levels / _sent;
            double more = (_refusedLevels / _refused) - ((_levels - _refusedLevels) / (_sent - _refused));
            return more > LeastMore + (Deviations * Math.Sqrt(Math.Max((_squares / _sent) - (mean * mean), 0) / _refused));
        }
    }

    public void Start()
    {
        _from = -1;
        _sent = _refused = 0;
        _levels = _squares = _refusedLevels = 0;
    }

    public void Add(in SendMark sent, bool isRefusedBefore)
    {
        if (!isRefusedBefore)
        {
            return;
        }

        _from = _from < 0 ? sent.Index : _from;
        _sent++;
        _levels += sent.InFlight;
        _squares += (double)sent.InFlight * sent.InFlight;
    }

    public void Refuse(in SendMark mark)
    {
        if (_from >= 0 && mark.Index >= _from)
        {
            _refused++;
            _refusedLevels += mark.InFlight;
        }
    }
}
