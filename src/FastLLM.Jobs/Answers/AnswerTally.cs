using System.Numerics;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Answers;

/// <summary>Counts the answers of a form, one by one, in bounded memory. Used by one thread at a time.</summary>
internal sealed class AnswerTally(AnswerForm form)
{
    private const int MaxValues = 1_000;
    private const string Others = "(others)";
    private const int Steps = 16; // per power of two

    private readonly Dictionary<string, long>[] _values =
        [.. form.Fields.Select(_ => new Dictionary<string, long>(StringComparer.Ordinal))];

    private readonly Dictionary<string, long> _finishReasons = new(StringComparer.Ordinal);
    private readonly long[] _lengths = new long[Steps * 32];
    private long _answers;
    private int _shortest = int.MaxValue;
    private int _longest;

    /// <summary>Counts an answer.</summary>
    public void Add(string text, string? finishReason)
    {
        _answers++;
        _lengths[BucketOf(text.Length)]++;
        _shortest = Math.Min(_shortest, text.Length);
        _longest = Math.Max(_longest, text.Length);
        Count(_finishReasons, finishReason ?? "(none)");
        using JsonDocument? answer = form.Read(text);
        for (var i = 0; i < _values.Length; i++)
        {
            AnswerField field = form.Fields[i];
            if (field.IsCounted && answer?.RootElement.Member(field.Name) is { ValueKind: not JsonValueKind.Undefined } value)
            {
                Count(_values[i], value.Text() ?? value.RawText());
            }
        }
    }

    /// <summary>Gets the counts so far.</summary>
    public AnswerDistribution ToDistribution() => new()
    {
        Answers = _answers,
        Fields =
        [
            .. form.Fields.Select((field, i) => (field, Counts: _values[i])).Where(pair => pair.field.IsCounted)
                .Select(pair => new FieldDistribution(pair.field.Name, [.. Ordered(pair.Counts)])),
        ],
        FinishReasons = new Dictionary<string, long>(Ordered(_finishReasons)),
        Lengths = _answers == 0 ? null : new AnswerLengths(_shortest, Quantile(0.5), Quantile(0.95), _longest),
    };

    private static IEnumerable<KeyValuePair<string, long>> Ordered(Dictionary<string, long> counts) =>
        counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal);

    // Finish reasons and values come from a model: their number is bounded.
    private static void Count(Dictionary<string, long> counts, string value)
    {
        value = counts.Count < MaxValues || counts.ContainsKey(value) ? value : Others;
        counts[value] = counts.GetValueOrDefault(value) + 1;
    }

    // Exact below 32, then 16 steps for each power of two.
    private static int BucketOf(int length)
    {
        int power = BitOperations.Log2((uint)length | 1);
        return power < 5 ? length : (Steps * (power - 3)) + ((length >> (power - 4)) & (Steps - 1));
    }

    // The longest of the bucket: the quantile is not exceeded.
    private static int LengthOf(int bucket) => FirstOf(bucket + 1) - 1;

    private static int FirstOf(int bucket)
    {
        int power = (bucket / Steps) + 3;
        return power < 5 ? bucket : (Steps + (bucket % Steps)) << (power - 4);
    }

    private long Quantile(double share)
    {
        var rank = (long)Math.Ceiling(share * _answers);
        var bucket = 0;
        for (long seen = _lengths[0]; seen < rank; seen += _lengths[bucket])
        {
            bucket++;
        }

        return Math.Clamp(LengthOf(bucket), _shortest, _longest);
    }
}
