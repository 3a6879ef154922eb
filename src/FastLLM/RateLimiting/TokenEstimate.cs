namespace FastLLM.RateLimiting;

/// <summary>Estimates prompt and output tokens of a model, learned from reported usage.</summary>
internal sealed class TokenEstimate
{
    private const double FirstBytesPerToken = 4; // English; other scripts are learned within a few answers
    private const double FirstTokens = 100;      // what that guess weighs
    private const double Keep = 0.98;            // the latest fifty answers count most
    private const long FirstOutput = 512;
    private const int Enough = 20;
    private const double High = 0.95;

    // Places are a quarter of an octave wide: the estimate errs by a fifth at most, upwards.
    private const int PerOctave = 4;
    private const int Places = 40 * PerOctave;

    // What a server adds to the messages of a prompt.
    private const long Overhead = 16;
    private const int LeastOfProse = 2; // bytes a token; of plain words, it is rarely less than four

    // The share of bytes that are no plain letters tells scripts, numbers and code from prose; short prompts have more overhead than long
    // ones.
    private const int Shares = 5;
    private const int Octaves = 40;
    private const double Forget = 0.01;

    private readonly double[] _outputs = new double[Places];
    private double _bytes = FirstBytesPerToken * FirstTokens;
    private double _tokens = FirstTokens;
    private readonly double[] _highest = new double[Octaves * Shares];
    private double _allowed = FirstOutput;
    private double _taken = FirstOutput;
    private int _seen;
    private long _longest;

    /// <summary>The tokens of a prompt.</summary>
    public long Input(in TokenDemand demand) => Math.Max(1, (long)Math.Ceiling(demand.Bytes * _tokens / _bytes));

    /// <summary>The prompt to set aside: the most that prompts of about this length and kind took lately; of a new kind, a token for each
    /// byte, or for two of prose.</summary>
    public long HighInput(in TokenDemand demand)
    {
        int kind = Kind(demand);
        double perByte = _highest[kind];
        return perByte == 0
            ? (demand.Bytes / (kind % Shares == 0 ? LeastOfProse : 1)) + Overhead
            : Math.Max(1, (long)Math.Ceiling(demand.Bytes * perByte));
    }

    /// <summary>The output to set aside: what is allowed, or what nineteen of twenty answers stay within.</summary>
    public long Output(in TokenDemand demand) => demand.MaxOutput ?? (_seen < Enough ? Math.Max(FirstOutput, _longest) : HighOutput());

    /// <summary>The output to expect: the part of what is allowed that answers take on average.</summary>
    public long ExpectedOutput(in TokenDemand demand) =>
        demand.MaxOutput is { } most ? (long)Math.Ceiling(most * _taken / _allowed) : Output(demand);

    public void Learn(in TokenDemand demand, Usage usage)
    {
        if (usage.PromptTokens > 0 && demand.Bytes > 0)
        {
            _bytes = (_bytes * Keep) + demand.Bytes;
            _tokens = (_tokens * Keep) + usage.PromptTokens;
            ref double highest = ref _highest[Kind(demand)];
            double perByte = (double)usage.PromptTokens / demand.Bytes;
            highest = Math.Max(perByte, highest + ((perByte - highest) * Forget));
        }

        if (demand.MaxOutput is { } most)
        {
            _allowed = (_allowed * Keep) + most;
            _taken = (_taken * Keep) + Math.Clamp(usage.CompletionTokens, 0, most);
        }
        else if (usage.CompletionTokens >= 0)
        {
            for (var i = 0; i < Places; i++)
            {
                _outputs[i] *= Keep;
            }

            _outputs[Math.Min(Places - 1, (int)Math.Ceiling(Math.Log2(usage.CompletionTokens + 1) * PerOctave))]++;
            _seen++;
            _longest = Math.Max(_longest, usage.CompletionTokens);
        }
    }

    private static int Kind(in TokenDemand demand)
    {
        double dense = demand.Bytes == 0 ? 0 : (double)demand.Dense / demand.Bytes;
        int share = dense < 0.1 ? 0 : dense < 0.2 ? 1 : dense < 0.4 ? 2 : dense < 0.7 ? 3 : 4;
        return (Math.Min(Octaves - 1, (int)Math.Log2(demand.Bytes + 1)) * Shares) + share;
    }

    private long HighOutput()
    {
        double all = 0;
        foreach (double count in _outputs)
        {
            all += count;
        }

        double below = 0;
        for (var i = 0; i < Places; i++)
        {
            below += _outputs[i];
            if (below >= all * High)
            {
                return (long)Math.Ceiling(Math.Pow(2, i / (double)PerOctave));
            }
        }

        return FirstOutput;
    }
}
