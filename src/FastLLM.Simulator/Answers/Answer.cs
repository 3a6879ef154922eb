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
    Other,
}

/// <summary>From the bytes of a request to the bytes of its answer.</summary>
internal static class Answer
{
    /// <returns>The HTTP status; the body is in <paramref name="output"/>.</returns>
    public static int Write(ServedPath path, ReadOnlySpan<byte> body, BodyHash hash, int dimensions, JsonOut output)
    {
        Problem? problem;
        try
        {
            problem = !Utf8.IsValid(body) ? Problem.BrokenJson
                : path == ServedPath.ChatCompletions ? ChatAnswer.Write(body, hash, output)
                : EmbeddingAnswer.Write(body, dimensions, output);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter for lone surrogates in a member's name
        {
            problem = Problem.BrokenJson;
        }

        if (problem is null)
        {
            return 200;
        }

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
