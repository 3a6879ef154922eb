using FastLLM.Diagnostics;
using Microsoft.Extensions.Logging;

namespace FastLLM.Providers;

/// <summary>Decides how long a connection must be quiet before it carries another request, and whether connections are reused.</summary>
/// <remarks>HTTP/1.1 does not number responses: a response that was not requested (sent twice, or the rest of one whose length was too
/// small) would be taken for the response to the next request as soon as that is written. So a connection rests before it is reused: before
/// its first requests, which detects servers that always do so, now and then later, and for a two-hundredth of the duration of the last
/// response. Once connections have rested hundreds of times for nothing, new ones rest only before their first reuse. After one response
/// that was not requested, connections are no longer reused.</remarks>
internal sealed class ConnectionGuard(ILogger logger, TimeProvider? clock = null)
{
    private const int OftenFor = 16;
    private const int OftenInAll = 512; // a fast server would be slowed down by more
    private const int ShareOfLatency = 200;

    private static readonly TimeSpan s_fresh = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan s_often = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(25);

    // So many requests were lost, and more than were answered, each on a connection that had carried another one: a server that closes
    // connections silently.
    private const int ManyLost = 5;

    private int _isBroken;
    private int _often;
    private long _reused;
    private long _lost;

    /// <summary>Gets a value indicating whether each connection may carry only one request: a response that was not requested has arrived,
    /// or the server closes connections after a response without saying so.</summary>
    public bool IsBroken => Volatile.Read(ref _isBroken) != 0;

    /// <summary>Gets the clock: the system's except in tests of this type, since a network follows no other.</summary>
    public TimeProvider Clock { get; } = clock ?? TimeProvider.System;

    /// <summary>Returns how long a connection must be quiet before its next request.</summary>
    /// <param name="requests">The number of requests that it has carried.</param>
    /// <param name="latency">The duration of the last response.</param>
    public TimeSpan RestBefore(int requests, TimeSpan latency)
    {
        if (requests == 0)
        {
            return s_fresh;
        }

        if (requests == 1 || (requests > OftenFor && IsPowerOfFour(requests)))
        {
            return s_longest;
        }

        TimeSpan rest = latency / ShareOfLatency;
        rest = rest < s_often && requests <= OftenFor && Interlocked.Increment(ref _often) <= OftenInAll ? s_often : rest;
        return rest < s_longest ? rest : s_longest;
    }

    /// <summary>Notes the result of a request on a connection that had carried another one.</summary>
    /// <param name="isAnswered">Whether a response began; otherwise the server closed the connection.</param>
    public void Reused(bool isAnswered)
    {
        long reused = Interlocked.Increment(ref _reused);
        if (!isAnswered && Interlocked.Increment(ref _lost) is >= ManyLost and var lost && lost > reused - lost
            && Interlocked.Exchange(ref _isBroken, 1) == 0)
        {
            logger.ConnectionsCloseEarly();
        }
    }

    /// <summary>Notes that a response that was not requested has arrived.</summary>
    public void Break()
    {
        if (Interlocked.Exchange(ref _isBroken, 1) == 0)
        {
            logger.UnrequestedResponse();
        }
    }

    private static bool IsPowerOfFour(int requests) => int.IsPow2(requests) && int.IsEvenInteger(int.Log2(requests));
}
