namespace FastLLM.Diagnostics;

/// <summary>Finds the name that a user probably meant.</summary>
internal static class Suggestion
{
    private const int MaxLength = 64;

    /// <summary>Returns the known name that is most similar to a word; <see langword="null"/> if none is similar enough.</summary>
    /// <remarks>Letter case, hyphens, underscores and blanks do not count. Otherwise, one letter in three may differ.</remarks>
    public static string? For(string word, IEnumerable<string> known)
    {
        string given = Plain(word);
        if (given.Length is 0 or > MaxLength)
        {
            return null;
        }

        int allowed = Math.Min(3, Math.Max(1, given.Length / 3));
        return known
            .Select(name => (Name: name, Distance: DistanceOf(given, Plain(name))))
            .Where(candidate => candidate.Distance <= allowed && candidate.Distance < Math.Max(1, given.Length - 1))
            .OrderBy(candidate => candidate.Distance)
            .Select(candidate => candidate.Name)
            .FirstOrDefault();
    }

    /// <summary>Returns <c> Did you mean NAME?</c> with a blank before it, or nothing if no known name is similar enough.</summary>
    public static string Sentence(string word, IEnumerable<string> known, string prefix = "", string suffix = "") =>
        For(word, known) is { } name ? $" Did you mean {prefix}{SingleLine.Of(name)}{suffix}?" : "";

    private static string Plain(string name) =>
        string.Concat(name.Where(static c => c is not ('-' or '_' or ' '))).ToUpperInvariant();

    // Damerau-Levenshtein: a missing, added, wrong or swapped letter counts 1.
    private static int DistanceOf(string a, string b)
    {
        if (b.Length > MaxLength || Math.Abs(a.Length - b.Length) > 3)
        {
            return int.MaxValue;
        }

        int[,] cost = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    cost[i, j] = i + j;
                    continue;
                }

                int replaced = cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replaced, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }

        return cost[a.Length, b.Length];
    }
}
