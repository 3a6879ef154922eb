using System.Text.Json;
using System.Text.Unicode;

namespace FastLLM.Simulator.Answers;

/// <summary>Specifies the path of a request, for the counts.</summary>
internal enum ServedPath
{
    ChatCompletions,
    Embeddings,
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

/// <summary>Writes answers from the bytes of requests.</summary>
internal static class Answer
{
    /// <returns>The HTTP status; the body is in <paramref name="output"/>.</returns>
    public static int Write(
        ServedPath path, ReadOnlySpan<byte> body, BodyHash hash, int dimensions, JsonOut output, out AnswerFacts facts, bool streams = true)
    {
        facts = default;
        Problem? problem;
        try
        {
            problem = !Utf8.IsValid(body) ? Problem.BrokenJson
                : path == ServedPath.ChatCompletions ? ChatAnswer.Write(body, hash, output, streams, out facts)
                : EmbeddingAnswer.Write(body, dimensions, output, out facts);
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
        WriteModel("simulator-chat"u8, output);
        WriteModel("simulator-embedding"u8, output);
        output.Close(']');
        output.Close('}');
    }

    private static void WriteModel(ReadOnlySpan<byte> id, JsonOut output)
    {
        output.Next();
        output.Open('{');
        output.Member("id"u8, id);
        output.Member("object"u8, "model"u8);
        output.Name("created"u8);
        output.Raw(RequestJson.Created);
        output.Member("owned_by"u8, "simulator"u8);
        output.Close('}');
    }
}
