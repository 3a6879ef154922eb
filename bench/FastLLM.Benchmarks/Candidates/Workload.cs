using System.Globalization;

namespace FastLLM.Benchmarks.Candidates;

/// <summary>What every candidate is to ask: the same model, instruction and limits, and a different prompt for each request.</summary>
/// <remarks>The prompts are there before the clock starts: they stand for the caller's own data. A request's body has about 550 bytes, its answer about 850.</remarks>
internal sealed class Workload
{
    public const string Model = "benchmark-model";
    public const string Instruction = "Classify the product review. Answer with one word: good, bad or mixed.";
    public const double Temperature = 0.2;
    public const int MaxCompletionTokens = 256;

    private const string Review =
        "The parcel came two days late and the box was dented, but the kettle itself works well: it boils a litre in under three minutes, "
        + "switches off when it should, and the handle stays cool. The lid is a little stiff and the cable could be longer. "
        + "For the price I would buy it again, though not for a present.";

    private static int s_rounds;

    private readonly string[] _prompts;

    /// <param name="count">How many requests.</param>
    public Workload(int count)
    {
        // Another round has other prompts: no answer of an earlier one, in no cache, is good for it.
        int round = Interlocked.Increment(ref s_rounds);
        _prompts = new string[count];
        for (int i = 0; i < count; i++)
        {
            _prompts[i] = string.Create(CultureInfo.InvariantCulture, $"Review {round:D4}-{i:D7}: {Review}");
        }
    }

    public int Count => _prompts.Length;

    public string this[int index] => _prompts[index];
}
