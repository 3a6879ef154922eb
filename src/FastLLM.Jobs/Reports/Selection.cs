namespace FastLLM.Jobs.Reports;

/// <summary>Chooses, after a first look through the file, which rows the page holds and how much of each: so that it opens, whatever the file's size.</summary>
/// <remarks>Every failure and an even choice of the other rows; of too many failures an even choice too.</remarks>
/// <param name="mostRows">How many rows the page holds at most.</param>
/// <param name="mostBytes">How many bytes of texts, about.</param>
internal sealed class Selection(int mostRows, long mostBytes)
{
    private const int StepBytes = 256;
    private const int LongestText = 32 * 1024;
    private const int ShortestText = 512;

    private readonly long[] _lengths = new long[(LongestText / StepBytes) + 1];
    private double _credit;
    private double _failureCredit;

    public long Rows { get; private set; }

    public long Failed { get; private set; }

    /// <summary>Gets how many characters of an answer are kept: as many as fit if the rows are as long as their lines.</summary>
    public int TextLength
    {
        get
        {
            double kept = Math.Min(1, mostRows / (double)Math.Max(1, Rows));
            for (int step = _lengths.Length - 1; step * StepBytes > ShortestText; step--)
            {
                double bytes = 0;
                for (var i = 0; i < _lengths.Length; i++)
                {
                    bytes += _lengths[i] * (double)Math.Min(i, step) * StepBytes;
                }

                if (bytes * kept <= mostBytes)
                {
                    return step * StepBytes;
                }
            }

            return ShortestText;
        }
    }

    /// <summary>Counts a row in the first look.</summary>
    public void Count(int lineLength, bool succeeded)
    {
        Rows++;
        Failed += succeeded ? 0 : 1;
        _lengths[Math.Min(lineLength, LongestText) / StepBytes]++;
    }

    /// <summary>Takes back what was counted: a later record of the same row stands instead.</summary>
    public void Discount(int lineLength, bool succeeded)
    {
        Rows--;
        Failed -= succeeded ? 0 : 1;
        _lengths[Math.Min(lineLength, LongestText) / StepBytes]--;
    }

    /// <summary>Whether the page holds this row; asked once for each, in the order of the file.</summary>
    public bool Takes(bool succeeded)
    {
        if (Rows <= mostRows)
        {
            return true;
        }

        // Failures may fill the page but for a tenth, so that one sees what the others look like.
        double failures = Math.Min(Failed, mostRows * 0.9);
        return succeeded
            ? Spend(ref _credit, (mostRows - failures) / Math.Max(1, Rows - Failed))
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
