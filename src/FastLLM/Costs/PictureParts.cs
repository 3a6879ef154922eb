using System.Text.Json;

namespace FastLLM.Costs;

/// <summary>Counts the objects of a body that have a mark of a picture: its type or its address, or both.</summary>
internal struct PictureParts
{
    private const int MaxDepth = 63;

    // A bit for each depth.
    private ulong _marked;

    /// <summary>Adds a mark of the object whose members are at this depth.</summary>
    public void Add(int depth) => _marked |= 1UL << Math.Min(depth, MaxDepth);

    /// <summary>Returns 1 at the end of an object that has a mark.</summary>
    public int Count(JsonTokenType token, int depth)
    {
        // Deeper objects share a bit, which the end of the innermost clears.
        ulong bit = 1UL << Math.Min(depth + 1, MaxDepth);
        if (token != JsonTokenType.EndObject || (_marked & bit) == 0)
        {
            return 0;
        }

        _marked &= ~bit;
        return 1;
    }
}
