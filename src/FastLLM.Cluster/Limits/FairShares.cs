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

    /// <summary>Returns the shares where each may be under a limit of its own: those under the same limit, or under lower ones, get no more
    /// than that together.</summary>
    /// <param name="limits">The limit of each.</param>
    /// <param name="wants">What is wanted by each.</param>
    public static double[] Nested(double[] limits, double[] wants)
    {
        double[] shares = [.. wants];
        foreach (double limit in limits.Distinct().Order())
        {
            int[] under = [.. Enumerable.Range(0, limits.Length).Where(i => limits[i] <= limit)];
            double[] allowed = Of(limit, [.. under.Select(i => shares[i])]);
            for (var i = 0; i < under.Length; i++)
            {
                shares[under[i]] = allowed[i];
            }
        }

        return shares;
    }
}
