namespace FastLLM.Cluster.Caching;

/// <summary>Decides how long to wait before the next look-up of an answer that another machine is about to put.</summary>
internal static class WaitSteps
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(1);

    /// <summary>Returns a quarter of the wait so far: an answer is found late by an eighth of its latency on average, and by half a second
    /// at most.</summary>
    public static TimeSpan After(TimeSpan waited) => waited / 4 < s_shortest ? s_shortest : waited / 4 > s_longest ? s_longest : waited / 4;
}
