using System.Text.Json;
using System.Text.Unicode;

namespace FastLLM.Simulator.Answers;

/// <summary>The paths that are served, as they are told apart and counted.</summary>
internal enum ServedPath
{
    ChatCompletions,
    Embeddings,
    Models,
    Stats,
    Ledger,
    Other,
}

/// <summary>What the server has to know of an answer beside its bytes. All zero where the request is refused.</summary>
/// <param name="CountedTokens">What a limit of tokens counts: the prompt and the output that is allowed, or else the answer's.</param>
/// <param name="CompletionTokens">What the usage says.</param>
/// <param name="Lead">Streams only: how many events come before the text; 0 says that this is no stream.</param>
/// <param name="Pieces">Streams only: how many events hold text.</param>
internal readonly record struct AnswerFacts(long CountedTokens, long CompletionTokens, int Lead = 0, int Pieces = 0)
{
    public bool Streamed => Lead > 0;

    /// <summary>What share of the answer's text is written once this event of a stream has left.</summary>
    public double Progress(int index) => Math.Clamp((index - Lead + 1) / (double)Pieces, 0, 1);
}

/// <summary>From the bytes of a request to the bytes of its answer.</summary>
internal static class Answer
{
    /// <returns>The HTTP status; the body is in <paramref name="output"/>.</returns>
    public static int Write(ServedPath path, ReadOnlySpan<byte> body, BodyHash hash, int dimensions, JsonOut output, out AnswerFacts facts, bool streams = true)
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
        output.Name("object"u8);
        output.String("list"u8);
        output.Name("data"u8);
        output.Open('[');
        WriteModel("simulator-chat"u8, output);
        WriteModel("simulator-embedding"u8, output);
        output.Close(']');
        output.Close('}');
    }

    private static void WriteModel(ReadOnlySpan<byte> id, JsonOut output)
    {
        output.Next();
        output.Open('{');
        output.Name("id"u8);
        output.String(id);
        output.Name("object"u8);
        output.String("model"u8);
        output.Name("created"u8);
        output.Raw(RequestJson.Created);
        output.Name("owned_by"u8);
        output.String("simulator"u8);
        output.Close('}');
    }
}
