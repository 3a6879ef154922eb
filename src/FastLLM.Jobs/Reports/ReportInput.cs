using FastLLM.Jobs.Input;
using FastLLM.Jobs.Planning;

namespace FastLLM.Jobs.Reports;

/// <summary>Represents the input of an output, as far as it is known: its name, and the questions of its requests.</summary>
internal sealed class ReportInput
{
    private const int MaxQuestion = 1_000;
    private const long MaxCharacters = 32_000_000;
    private const string Log = ".log.jsonl";

    private readonly Dictionary<ulong, string> _questions = [];

    private ReportInput(string title) => Title = title;

    /// <summary>Gets the name that the report has as its title: that of the input, or else of the output.</summary>
    public string Title { get; }

    /// <summary>Gets the question of a row; empty if it is unknown.</summary>
    public string QuestionOf(string id) => _questions.GetValueOrDefault(RowIndex.Fingerprint(id), "");

    /// <summary>Reads the questions of an input.</summary>
    /// <param name="output">The output, or its log.</param>
    /// <param name="input">The input; <see langword="null"/> for a file that an output with this name is made from by default, or else the
    /// file of its folder with rows of the output.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    public static async Task<ReportInput> ReadAsync(string output, string? input, CancellationToken cancellationToken)
    {
        string name = output.EndsWith(Log, StringComparison.OrdinalIgnoreCase) ? output[..^Log.Length] : output;
        input ??= Guesses(name).FirstOrDefault(File.Exists)
            ?? await InputSearch.FindAsync(output, cancellationToken).ConfigureAwait(false);
        var read = new ReportInput(Path.GetFileName(input ?? name));
        if (input is not null)
        {
            await read.AddQuestionsAsync(input, cancellationToken).ConfigureAwait(false);
        }

        return read;
    }

    // rows.out.jsonl is made from rows.jsonl, and table.csv.out.jsonl or table.out.csv from table.csv.
    private static IEnumerable<string> Guesses(string output)
    {
        const string Out = ".out";
        string extension = Path.GetExtension(output);
        string stem = output[..^extension.Length];
        if (!stem.EndsWith(Out, StringComparison.OrdinalIgnoreCase))
        {
            return [];
        }

        stem = stem[..^Out.Length];
        return [stem + extension, stem + extension + ".gz", stem, stem + ".gz"];
    }

    // Questions are an extra: a report is made without them, too. The rows of a table have columns instead.
    private async Task AddQuestionsAsync(string input, CancellationToken cancellationToken)
    {
        long left = MaxCharacters;
        try
        {
            using var reader = new InputReader(File.OpenRead(input), InputSource.ByName(input, InputFormat.Auto))
            {
                OwnsStream = true,
                ReusesRows = true,
            };
            while (left > 0 && await reader.ReadAsync(cancellationToken).ConfigureAwait(false) is { } row)
            {
                if (row.Request is { } request)
                {
                    string question = Text.Cut(QuestionText.Of(request).Question, MaxQuestion);
                    left -= question.Length;
                    _questions.TryAdd(RowIndex.Fingerprint(row.Id), question);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            // Not the input of requests.
        }
    }
}
