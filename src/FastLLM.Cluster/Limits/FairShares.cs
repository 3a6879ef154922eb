namespace FastLLM.Cluster.Limits;

/// <summary>Divides what there is by what is wanted: none gets more than it wants, and those that want more get as much as each
/// other.</summary>
internal static class FairShares
{
    /// <summary>Returns the shares (max-min fair).</summary>
    /// <param name="total">What there is.</param>
    /// <param name="wants">What is wanted by each.</param>
    public static double[] Of(double total, ReadOnlySpan<double> wants)
    {
        var shares = new double[wants.Length];
        int[] order = [.. Enumerable.Range(0, wants.Length)];
        double[] sorted = wants.ToArray();
        Array.Sort(sorted, order);
        for (var i = 0; i < order.Length; i++)
        {
            double share = Math.Min(sorted[i], total / (order.Length - i));
            shares[order[i]] = share;
            total -= share;
        }

        return shares;
    }
}
