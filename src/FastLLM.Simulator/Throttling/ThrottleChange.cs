using FastLLM.Simulator.Throttling;

namespace FastLLM.Simulator;

/// <summary>Represents a change of the simulator's throttling during a run: immutable.</summary>
/// <remarks>
/// The laws of a change replace all laws that are in force before it. A law that is in force before and after keeps its state.
/// Changes at the same time are one change with the laws of all.
/// </remarks>
public sealed class ThrottleChange
{
    internal static readonly TimeSpan MaxAt = TimeSpan.FromDays(1);

    /// <summary>Creates a change.</summary>
    /// <param name="at">When the laws begin to apply, counted from the first request that the server receives, from 0 to 1 day.</param>
    /// <param name="laws">The laws; none to refuse nothing from then on.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="at"/> is out of range.</exception>
    /// <exception cref="ArgumentException"><paramref name="laws"/> is or contains <see langword="null"/>.</exception>
    public ThrottleChange(TimeSpan at, params IReadOnlyList<ThrottleLaw> laws)
    {
        At = Check.Between(at, TimeSpan.Zero, MaxAt, nameof(at));
        Laws = Check.Items(laws, nameof(laws));
    }

    /// <summary>Gets when the laws begin to apply, counted from the first request that the server receives.</summary>
    public TimeSpan At { get; }

    /// <summary>Gets the laws.</summary>
    public IReadOnlyList<ThrottleLaw> Laws { get; }

    /// <summary>Reads a change from text: <c>TIME=LAW</c>, for example <c>20s=bucket:25/s</c>, or <c>TIME=none</c>.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The change.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    /// <exception cref="FormatException">The text is not a change. The message names the text and the accepted forms.</exception>
    public static ThrottleChange Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return ThrottleText.Change(text);
    }
}
