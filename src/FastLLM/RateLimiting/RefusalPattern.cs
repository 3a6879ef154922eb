namespace FastLLM.RateLimiting;

/// <summary>Tells refusals at random from those of a limit by how evenly they are spread.</summary>
/// <remarks>
/// Of each sixteen sends in a row, chance refuses now more, now fewer. A limit that is exceeded lets through what it allows in the time
/// that they took; or it lets all through for a while, then none. So the variance of what was accepted is compared with that of chance: if
/// refusals are noise, it is as large; if a limit makes them, it is clearly smaller or larger. What a cut does need not be seen, so nothing
/// has to be cut.
/// </remarks>
/// <param name="seesAll">Whether these are all sends that the provider counts. Of half of them, what a limit refuses looks
/// half like chance.</param>
internal sealed class RefusalPattern(bool seesAll = true)
{
    private const int Block = SendBlocks.Size;

    // The latest 400 sends: enough to tell a variance from a quarter of it.
    private const int Most = 25;
    private const int Fewest = 8;
    private const double Weight = 0.25;
    private const double MostUsual = 0.8;

    // A limit makes a tenth of the variance of chance, or less; more where it is hardly exceeded.
    private const double LeastRandom = 0.5;
    private const double LeastRandomOfPart = 0.7;
    private const int FewestOfPart = 18;

    // Where a limit is already known, it may be exceeded now and then.
    private const double LeastPlain = 0.8;
    private const double LeastPlainLately = 0.7;

    // What chance falls below once in a thousand times counts as a limit's making. Where no limit is known yet, that would be too often.
    private const double Deviations = 3.1;
    private const double DeviationsIfCertain = 4.2;

    // So many blocks show what came lately. Differences of neighbors tell as much as two thirds of them would, each by itself.
    private const int Lately = 12;
    private const double NeighborsTell = 2.0 / 3;

    // Without a trend, blocks differ from their neighbors as much as from all others.
    private const double LeastChange = 1;

    // Where hardly any are accepted, one by one looks like chance.
    private const double MostRandom = 0.85;

    private readonly (int Accepted, double Seconds)[] _blocks = new (int, double)[Most];
    private int _count;
    private long _next;
    private double _usual = 0.4;

    /// <summary>Gets the number of sends that are compared.</summary>
    public int Sent => Count * Block;

    /// <summary>Gets the share that was refused of them.</summary>
    public double Share { get; private set; }

    /// <summary>Gets the share that is usually refused while not everything is: 0.4 before anything is known, as it may be noise.</summary>
    public double Usual => Math.Min(_usual, MostUsual);

    /// <summary>Gets what was accepted a second.</summary>
    public double Rate => LatestRate(Most);

    /// <summary>Gets the variance of what was accepted of each block, in parts of that of chance.</summary>
    public double Dispersion { get; private set; }

    /// <summary>Gets the mean square of the difference of neighboring blocks in parts of the variance: 2 if all is chance, less where
    /// there is a trend.</summary>
    public double Change { get; private set; }

    /// <summary>Gets half the mean square of the difference of neighboring blocks, of the latest ones, in parts of the variance of
    /// chance: 1 if all is chance. A trend, such as a rate that is being raised, does not matter.</summary>
    public double Unevenness { get; private set; }

    /// <summary>Gets a value indicating whether refusals come as by chance.</summary>
    public bool IsRandom => Count >= (seesAll ? Fewest : FewestOfPart) && Share is > 0 and < MostRandom
        && Dispersion > (seesAll ? LeastRandom : LeastRandomOfPart) && Dispersion < 1 + (2 * Deviation) && Change > LeastChange;

    /// <summary>Gets a value indicating whether nothing of a limit is to be seen in it either.</summary>
    public bool IsPlainlyRandom => IsRandom && Dispersion > LeastPlain && Unevenness > LeastPlainLately;

    /// <summary>Gets a value indicating whether enough sends are compared to see a pattern.</summary>
    public bool IsEnough => seesAll && Count >= Fewest;

    /// <summary>Gets a value indicating whether what is accepted comes far more evenly than by chance.</summary>
    public bool IsRegular => IsMoreEven(Deviations);

    /// <summary>Gets a value indicating whether what is accepted never comes so evenly by chance.</summary>
    public bool IsCertainlyRegular => IsMoreEven(DeviationsIfCertain);

    /// <summary>Gets a value indicating whether refusals come in clusters.</summary>
    public bool IsClustered => IsEnough && Dispersion > 1 + (4 * Deviation);


    private int Count => Math.Min(_count, Most);

    // The standard deviation of the variance if all is chance.
    private double Deviation => Math.Sqrt(2.0 / Math.Max(Count - 1, 1));

    /// <summary>Starts anew with the next send.</summary>
    public void Start(long next)
    {
        _next = (next + Block - 1) / Block;
        _count = 0;
        Share = 0;
        Dispersion = 1;
        Change = 2;
        Unevenness = 1;
    }

    /// <summary>Takes in the sends that have settled meanwhile.</summary>
    public void Follow(SendCounter sends, double now)
    {
        if (!IsSettled(sends, now))
        {
            return;
        }

        _next = Math.Max(_next, (sends.Count / Block) - SendBlocks.Remembered + 2);
        for (; IsSettled(sends, now); _next++)
        {
            int refused = sends.Blocks.RefusedOf(_next);
            _blocks[_count++ % Most] = (Block - refused, sends.Blocks.BeganAt(_next + 1) - sends.Blocks.BeganAt(_next));
            if (refused < Block)
            {
                _usual += (((double)refused / Block) - _usual) * Weight;
            }
        }

        Compare();
    }

    // Later refusals may still come, and at first it is not known how long they take.
    private bool IsSettled(SendCounter sends, double now) =>
        ((_next + 1) * Block) + 1 <= sends.Settled && sends.Blocks.BeganAt(_next + 1) + (2 * sends.RefusalDelay) <= now;

    /// <summary>Gets what was accepted a second of the latest blocks.</summary>
    public double LatestRate(int blocks)
    {
        double accepted = 0;
        double seconds = 0;
        for (int i = Math.Max(0, _count - Math.Min(blocks, Most)); i < _count; i++)
        {
            accepted += BlockAt(i).Accepted;
            seconds += BlockAt(i).Seconds;
        }

        return seconds > 0 ? accepted / seconds : double.PositiveInfinity;
    }

    private void Compare()
    {
        int count = Count;
        int first = _count - count;
        double accepted = 0;
        for (int i = first; i < _count; i++)
        {
            accepted += BlockAt(i).Accepted;
        }

        double mean = accepted / count;
        double squares = 0;
        double changes = 0;
        for (int i = first; i < _count; i++)
        {
            squares += Math.Pow(BlockAt(i).Accepted - mean, 2);
            changes += i == first ? 0 : Math.Pow(BlockAt(i).Accepted - BlockAt(i - 1).Accepted, 2);
        }

        Share = 1 - (mean / Block);
        Dispersion = Share is > 0 and < 1 ? squares / Math.Max(count - 1, 1) / (mean * Share) : 1;
        Change = squares > 0 ? changes / squares : 2;
        Unevenness = UnevennessOf(Math.Min(count, Lately));
    }

    private bool IsMoreEven(double deviations)
    {
        return IsEnough
            && (Dispersion < LeastByChance(Count - 1) || Unevenness < LeastByChance((Math.Min(Count, Lately) - 1) * NeighborsTell));

        // The quantile of a variance by its degrees of freedom (Wilson and Hilferty's approximation of chi-square).
        double LeastByChance(double freedom) =>
            Math.Pow(Math.Max(0, 1 - (2 / (9 * freedom)) - (deviations * Math.Sqrt(2 / (9 * freedom)))), 3);
    }

    private double UnevennessOf(int blocks)
    {
        double accepted = 0;
        double changes = 0;
        int last = BlockAt(_count - blocks).Accepted;
        for (int i = _count - blocks; i < _count; i++)
        {
            int latest = BlockAt(i).Accepted;
            accepted += latest;
            changes += Math.Pow(latest - last, 2);
            last = latest;
        }

        double mean = accepted / blocks;
        double chance = mean * (1 - (mean / Block));
        return chance > 0 && blocks > 1 ? changes / (2 * (blocks - 1)) / chance : 1;
    }

    private (int Accepted, double Seconds) BlockAt(int index) => _blocks[index % Most];
}
