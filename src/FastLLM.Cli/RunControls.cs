using FastLLM.RateLimiting;

namespace FastLLM.Cli;

/// <summary>Controls a run while it is in progress: pauses it, changes the number of requests in flight, and stops it gently.</summary>
/// <param name="limiters">The limiters of the manager that sends.</param>
/// <param name="highest">The highest number of requests in flight.</param>
/// <param name="stop">Stops the run as the first Ctrl-C does.</param>
internal sealed class RunControls(RateLimiters limiters, int highest, Action stop)
{
    /// <summary>Gets a value indicating whether the run is paused: what is in flight is awaited, and nothing else is sent.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>Gets a value indicating whether only <c>q</c> works, because waiting rows could exceed their time limit.</summary>
    public bool OnlyStops { get; init; }

    /// <summary>Returns how many requests a manager must be able to have in flight, so that a fixed number can be raised.</summary>
    public static int HeadroomOf(int concurrency) => Math.Max(concurrency, Math.Min(1_000, concurrency + Math.Max(100, concurrency * 3)));

    /// <summary>Handles a key. Other keys than <c>p</c>, <c>+</c>, <c>-</c> and <c>q</c> do nothing.</summary>
    public void Press(char key)
    {
        switch (char.ToLowerInvariant(key))
        {
            case 'q':
                Pause(false); // requests that wait must see that nothing more is sent
                stop();
                break;
            case 'p' when !OnlyStops:
                Pause(!IsPaused);
                break;
            case '+' or '=' when !OnlyStops:
                int ceiling = limiters.Limit;
                limiters.ChangeCeiling(Math.Min(highest, Math.Max(ceiling + 1, ceiling * 5 / 4)));
                break;
            case '-' or '_' when !OnlyStops:
                limiters.ChangeCeiling(Math.Max(1, Math.Min(limiters.Limit - 1, limiters.Limit * 4 / 5)));
                break;
        }
    }

    private void Pause(bool isPaused)
    {
        IsPaused = isPaused;
        limiters.Hold(isPaused);
    }
}
