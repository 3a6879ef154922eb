namespace FastLLM.Jobs.Reports;

/// <summary>Chooses which rows the page holds and how much of each, so that it opens for a file of any size.</summary>
/// <remarks>Every failure and an even choice of the other rows; of too many failures an even choice too.</remarks>
/// <param name="maxRows">The maximum number of rows in the page.</param>
/// <param name="maxBytes">The approximate maximum of bytes of text.</param>
internal sealed class Selection(int maxRows, long maxBytes)
{
    private const int StepBytes = 256;
    private const int LongestText = 32 * 1024;
    private const int ShortestText = 512;

    private readonly long[] _lengths = new long[(LongestText / StepBytes) + 1];
    private double _credit;
    private double _failureCredit;

    public long Rows { get; private set; }

    public long Failed { get; private set; }

    /// <summary>Gets the number of characters of an answer that the page keeps: as many as fit if texts are as long as lines.</summary>
    public int TextLength
    {
        get
        {
            double kept = Math.Min(1, maxRows / (double)Math.Max(1, Rows));
            for (int step = _lengths.Length - 1; step * StepBytes > ShortestText; step--)
            {
                double bytes = 0;
                for (var i = 0; i < _lengths.Length; i++)
                {
                    bytes += _lengths[i] * (double)Math.Min(i, step) * StepBytes;
                }

                if (bytes * kept <= maxBytes)
                {
                    return step * StepBytes;
                }
            }

            return ShortestText;
        }
    }

    /// <summary>Counts a row, in the first read of the file.</summary>
    public void Count(int lineLength, bool succeeded)
    {
        Rows++;
        Failed += succeeded ? 0 : 1;
        _lengths[Math.Min(lineLength, LongestText) / StepBytes]++;
    }

    /// <summary>Removes a counted row: a later record of it replaces it.</summary>
    public void Discount(int lineLength, bool succeeded)
    {
        Rows--;
        Failed -= succeeded ? 0 : 1;
        _lengths[Math.Min(lineLength, LongestText) / StepBytes]--;
    }

    /// <summary>Decides whether the page holds a row. Called once for each row, in the order of the file.</summary>
    public bool Takes(bool succeeded)
    {
        if (Rows <= maxRows)
        {
            return true;
        }

        // Failures fill at most nine tenths of the page, so that it shows other rows too.
        double failures = Math.Min(Failed, maxRows * 0.9);
        return succeeded
            ? Spend(ref _credit, (maxRows - failures) / Math.Max(1, Rows - Failed))
            : Spend(ref _failureCredit, failures / Math.Max(1, Failed));
    }

    private static bool Spend(ref double credit, double share)
    {
        credit += share;
        if (credit < 1 - 1e-9)
        {
            return false;
        }

        credit -= 1;
        return true;
    }
}
