using System.Text.Json;
using System.Text.Unicode;

namespace FastLLM.Simulator.Answers;

/// <summary>Specifies the path of a request, for the counts.</summary>
internal enum ServedPath
{
    ChatCompletions,
    Embeddings,
    Responses,
    Completions,
    Models,
    Stats,
    Ledger,
    Other,
}

/// <summary>Represents what the server has to know of an answer beside its bytes. All zero where the request is refused.</summary>
/// <param name="CountedTokens">The tokens that a limit counts: the prompt and the allowed output, or else the answer's.</param>
/// <param name="CompletionTokens">The completion tokens of the usage.</param>
/// <param name="Lead">The number of events of a stream before the text; 0 where the answer is not a stream.</param>
/// <param name="Pieces">The number of events of a stream that hold text.</param>
internal readonly record struct AnswerFacts(long CountedTokens, long CompletionTokens, int Lead = 0, int Pieces = 0)
{
    public bool Streamed => Lead > 0;

    /// <summary>Computes the share of the answer's text that is written once this event of a stream has left.</summary>
    public double Progress(int index) => Math.Clamp((index - Lead + 1) / (double)Pieces, 0, 1);
}

/// <summary>Represents how answers are written.</summary>
/// <param name="Dimensions">The length of vectors, unless the request sets it.</param>
/// <param name="TokensPerPiece">The length of the pieces of a stream.</param>
/// <param name="Streams">Whether a request for a stream is answered with one.</param>
internal readonly record struct AnswerForm(int Dimensions, int TokensPerPiece = AnswerForm.UsualPiece, bool Streams = true)
{
    /// <summary>What the pieces of a stream are long by default: an envelope for each token would be most of a stream.</summary>
    public const int UsualPiece = 4;

    /// <summary>Gets the form for a server.</summary>
    public static AnswerForm Of(SimulatorOptions options) =>
        new(options.EmbeddingDimensions, options.TokensPerSecond is null ? UsualPiece : 1);
}

/// <summary>Writes answers from the bytes of requests.</summary>
internal static class Answer
{
    /// <returns>The HTTP status; the body is in <paramref name="output"/>.</returns>
    public static int Write(
        ServedPath path, ReadOnlySpan<byte> body, BodyHash hash, AnswerForm form, JsonOut output, out AnswerFacts facts)
    {
        facts = default;
        Problem? problem;
        try
        {
            problem = !Utf8.IsValid(body) ? Problem.BrokenJson
                : path switch
                {
                    ServedPath.ChatCompletions => ChatAnswer.Write(body, hash, form, output, out facts),
                    ServedPath.Responses => ResponsesAnswer.Write(body, hash, form, output, out facts),
                    ServedPath.Completions => CompletionsAnswer.Write(body, hash, form, output, out facts),
                    _ => EmbeddingAnswer.Write(body, form.Dimensions, output, out facts),
                };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter for lone surrogates in a member's name
        {
            problem = Problem.BrokenJson;
        }

        if (problem is null)
        {
            return 200;
        }

        facts = default;
        problem.WriteTo(output);
        return problem.Status;
    }

    public static void WriteModels(JsonOut output)
    {
        output.Open('{');
        output.Member("object"u8, "list"u8);
        output.Open("data"u8, '[');
        output.Next();
        WriteModel("simulator-chat"u8, output);
        output.Next();
        WriteModel("simulator-embedding"u8, output);
        output.Close(']');
        output.Close('}');
    }

    /// <summary>Writes a model. Every name is known, as in requests.</summary>
    /// <param name="id">The name, escaped.</param>
    /// <param name="output">Where to.</param>
    public static void WriteModel(ReadOnlySpan<byte> id, JsonOut output)
    {
        output.Open('{');
        output.Member("id"u8, id);
        output.Member("object"u8, "model"u8);
        output.Name("created"u8);
        output.Raw(RequestJson.Created);
        output.Member("owned_by"u8, "simulator"u8);
        output.Close('}');
    }
}
