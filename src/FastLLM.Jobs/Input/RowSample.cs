namespace FastLLM.Jobs.Input;

/// <summary>Chooses lines of a file at random: those whose numbers, mixed with a seed, are the smallest.</summary>
/// <remarks>The choice is the same on every platform, and a larger sample contains a smaller one of the same seed.</remarks>
/// <param name="size">The number of lines to choose.</param>
/// <param name="seed">The seed.</param>
internal sealed class RowSample(int size, int seed)
{
    private readonly PriorityQueue<long, ulong> _largestFirst = new(Comparer<ulong>.Create(static (a, b) => b.CompareTo(a)));
    private HashSet<long>? _chosen;

    /// <summary>Offers a line.</summary>
    public void Add(long line)
    {
        ulong rank = Mix((ulong)line + (Mix((uint)seed) * 2));
        if (_largestFirst.Count < size)
        {
            _largestFirst.Enqueue(line, rank);
        }
        else
        {
            _largestFirst.EnqueueDequeue(line, rank);
        }
    }

    /// <summary>Returns whether a line was chosen. No line may be offered afterwards.</summary>
    public bool Contains(long line) => (_chosen ??= [.. _largestFirst.UnorderedItems.Select(static item => item.Element)]).Contains(line);

    // SplitMix64.
    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
