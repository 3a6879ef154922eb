using System.Text;
using System.Text.Json;
using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator;

/// <summary>Computes the answers of the simulator, which are pure functions of the request: for tests that check an answer.</summary>
public static class SimulatorAnswers
{
    /// <summary>Computes the 128-bit hash that identifies a body and from which answers, latencies and faults are drawn.</summary>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <returns>The hash; its 32 hex digits are the answer's id after <c>chatcmpl-</c>.</returns>
    public static UInt128 Hash(ReadOnlySpan<byte> body)
    {
        BodyHash hash = BodyHash.Of(body);
        return new UInt128(hash.High, hash.Low);
    }

    /// <summary>Computes the text of an answer: <c>Answer</c>, 8 hex digits and the last user message, cut to the token limit.</summary>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <param name="choice">The index of the choice.</param>
    /// <returns>The text. A lone surrogate in the prompt, which the answer repeats as it was escaped, is U+FFFD here.</returns>
    /// <exception cref="ArgumentException">The simulator answers this body with an error.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The answer has no such choice.</exception>
    public static string ChatText(ReadOnlySpan<byte> body, int choice = 0)
    {
        var reader = new Utf8JsonReader(Write(ServedPath.ChatCompletions, body, 1, compact: true, streams: false));
        while (reader.Read())
        {
            // The answer's own members only: a prompt is inside one string and cannot look like one.
            if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("content"u8) && reader.Read() && choice-- == 0)
            {
                return Encoding.UTF8.GetString(JsonText.Decode(reader.ValueSpan));
            }
        }

        throw new ArgumentOutOfRangeException(nameof(choice));
    }

    /// <summary>Computes the answer to a chat completion request; with <c>stream: true</c>, all its server-sent events.</summary>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <param name="compact">As <see cref="SimulatorOptions.Compact"/>.</param>
    /// <returns>The bytes of the answer.</returns>
    /// <exception cref="ArgumentException">The simulator answers this body with an error.</exception>
    public static byte[] ChatCompletion(ReadOnlySpan<byte> body, bool compact = false) =>
        Write(ServedPath.ChatCompletions, body, 1, compact);

    /// <summary>Computes the answer to a chat completion request without a stream: what the events of a stream add up to.</summary>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <param name="compact">As <see cref="SimulatorOptions.Compact"/>.</param>
    /// <returns>The bytes of the answer.</returns>
    /// <exception cref="ArgumentException">The simulator answers this body with an error.</exception>
    public static byte[] PlainChatCompletion(ReadOnlySpan<byte> body, bool compact = false) =>
        Write(ServedPath.ChatCompletions, body, 1, compact, streams: false);

    /// <summary>Computes the answer to an embeddings request.</summary>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <param name="compact">As <see cref="SimulatorOptions.Compact"/>.</param>
    /// <param name="dimensions">As <see cref="SimulatorOptions.EmbeddingDimensions"/>; the request may override it.</param>
    /// <returns>The bytes of the answer.</returns>
    /// <exception cref="ArgumentException">The simulator answers this body with an error.</exception>
    public static byte[] Embeddings(ReadOnlySpan<byte> body, bool compact = false, int dimensions = 8) =>
        Write(ServedPath.Embeddings, body, dimensions, compact);

    /// <summary>Computes the unit vector of a text, which is the same in each request.</summary>
    /// <param name="text">The text.</param>
    /// <param name="dimensions">The length of the vector.</param>
    /// <returns>The vector.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dimensions"/> is less than 1.</exception>
    public static float[] Embedding(string text, int dimensions = 8)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentOutOfRangeException.ThrowIfLessThan(dimensions, 1);
        var vector = new float[dimensions];
        EmbeddingAnswer.Vector(Encoding.UTF8.GetBytes(text), vector);
        return vector;
    }

    private static byte[] Write(ServedPath path, ReadOnlySpan<byte> body, int dimensions, bool compact, bool streams = true)
    {
        JsonOut output = JsonOut.Rent(compact);
        int status = Answer.Write(path, body, BodyHash.Of(body), new AnswerForm(dimensions, Streams: streams), output, out _);
        byte[] answer = output.Written.ToArray();
        output.Return();
        return status == 200
            ? answer
            : throw new ArgumentException(
                $"The simulator answers this body with status {status}: {Encoding.UTF8.GetString(answer)}", nameof(body));
    }
}
