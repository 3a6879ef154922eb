using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Reads an embeddings request and writes its answer.</summary>
internal ref struct EmbeddingAnswer
{
    private readonly ReadOnlySpan<byte> _body;
    private ReadOnlySpan<byte> _model; // escaped, without quotes
    private ReadOnlySpan<byte> _input; // the value as it stands
    private bool _base64;
    private int _dimensions;

    private EmbeddingAnswer(ReadOnlySpan<byte> body, int dimensions)
    {
        _body = body;
        _dimensions = dimensions;
    }

    /// <returns>What is wrong with the request; <see langword="null"/> when the answer is written.</returns>
    public static Problem? Write(ReadOnlySpan<byte> body, int dimensions, JsonOut output, out AnswerFacts facts)
    {
        var answer = new EmbeddingAnswer(body, dimensions);
        facts = default;
        return answer.Read() ?? answer.Write(output, out facts);
    }

    /// <summary>Computes the unit vector of a text: the same on every platform, in every process.</summary>
    public static void Vector(ReadOnlySpan<byte> text, Span<float> vector)
    {
        BodyHash hash = BodyHash.Of(text);
        double squares = 0;
        for (int i = 0; i < vector.Length; i++)
        {
            double component = (2 * hash.Fraction((ulong)i)) - 1;
            vector[i] = (float)component;
            squares += component * component;
        }

        double scale = squares > 0 ? 1 / Math.Sqrt(squares) : 0;
        for (int i = 0; i < vector.Length; i++)
        {
            vector[i] = (float)(vector[i] * scale);
        }
    }

    private Problem? Read()
    {
        bool hasModel = false, hasInput = false;
        long? dimensions = null;
        Problem? problem = null;

        Utf8JsonReader reader = RequestJson.Reader(_body);
        if (!RequestJson.EnterObject(ref reader))
        {
            return Problem.BrokenJson;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("input"u8))
            {
                reader.Read();
                int start = (int)reader.TokenStartIndex;
                hasInput = reader.TokenType != JsonTokenType.Null;
                reader.Skip();
                _input = _body[start..(int)reader.BytesConsumed];
            }
            else if (reader.ValueTextEquals("model"u8))
            {
                reader.Read();
                hasModel = reader.TokenType == JsonTokenType.String;
                _model = hasModel ? reader.ValueSpan : default;
            }
            else if (reader.ValueTextEquals("encoding_format"u8))
            {
                reader.Read();
                bool isString = reader.TokenType == JsonTokenType.String;
                _base64 = isString && reader.ValueTextEquals("base64"u8);
                if (!_base64 && reader.TokenType != JsonTokenType.Null && !(isString && reader.ValueTextEquals("float"u8)))
                {
                    problem ??= Problem.Invalid("encoding_format", "float or base64");
                }
            }
            else if (reader.ValueTextEquals("dimensions"u8))
            {
                problem ??= RequestJson.ReadInteger(ref reader, "dimensions", 1, SimulatorOptions.MaxDimensions, out dimensions);
            }
            else if (reader.ValueTextEquals("stream"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.True)
                {
                    const string message = "Embeddings are not streamed: leave 'stream' out.";
                    problem ??= new Problem(400, message, Param: "stream", Code: "unsupported_value");
                }
            }

            reader.Skip();
        }

        reader.Read(); // throws on anything after the object

        _dimensions = (int)(dimensions ?? _dimensions);
        return !hasModel ? Problem.Missing("model") : !hasInput ? Problem.Missing("input") : problem;
    }

    private readonly Problem? Write(JsonOut output, out AnswerFacts facts)
    {
        facts = default;
        float[] vector = ArrayPool<float>.Shared.Rent(_dimensions);
        try
        {
            output.Open('{');
            output.Member("object"u8, "list"u8);
            output.Open("data"u8, '[');
            Utf8JsonReader reader = RequestJson.Reader(_input);
            reader.Read();
            long tokens = 0;
            if (!WriteInputs(ref reader, vector.AsSpan(0, _dimensions), output, ref tokens))
            {
                return Problem.Invalid(
                    "input", "a string, an array of strings, an array of tokens or an array of arrays of tokens, none of the arrays empty");
            }

            output.Close(']');
            output.Member("model"u8, _model);
            output.Open("usage"u8, '{');
            output.Member("prompt_tokens"u8, tokens);
            output.Member("total_tokens"u8, tokens);
            output.Close('}');
            output.Close('}');
            facts = new AnswerFacts(tokens, 0);
            return null;
        }
        finally
        {
            ArrayPool<float>.Shared.Return(vector);
        }
    }

    private readonly bool WriteInputs(ref Utf8JsonReader reader, Span<float> vector, JsonOut output, ref long tokens)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            WriteText(ref reader, 0, vector, output, ref tokens);
            return true;
        }

        if (reader.TokenType != JsonTokenType.StartArray || !reader.Read())
        {
            return false;
        }

        if (reader.TokenType == JsonTokenType.Number)
        {
            return WriteTokens(ref reader, 0, vector, output, ref tokens);
        }

        int index = 0;
        JsonTokenType kind = reader.TokenType;
        for (; reader.TokenType != JsonTokenType.EndArray; reader.Read(), index++)
        {
            if (reader.TokenType != kind)
            {
                return false;
            }

            if (kind == JsonTokenType.String)
            {
                WriteText(ref reader, index, vector, output, ref tokens);
            }
            else if (kind != JsonTokenType.StartArray || !reader.Read() || !WriteTokens(ref reader, index, vector, output, ref tokens))
            {
                return false;
            }
        }

        return index > 0;
    }

    private readonly void WriteText(ref Utf8JsonReader reader, int index, Span<float> vector, JsonOut output, ref long tokens)
    {
        // Escaped or not, the same text has the same vector.
        ReadOnlySpan<byte> text = reader.ValueIsEscaped ? JsonText.Decode(reader.ValueSpan) : reader.ValueSpan;
        tokens += RequestJson.Tokens(text.Length);
        Vector(text, vector);
        WriteVector(index, vector, output);
    }

    /// <summary>Reads from the first token of an array to its end.</summary>
    private readonly bool WriteTokens(ref Utf8JsonReader reader, int index, Span<float> vector, JsonOut output, ref long tokens)
    {
        var bytes = new ArrayBufferWriter<byte>();
        for (; reader.TokenType != JsonTokenType.EndArray; reader.Read())
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int token))
            {
                return false;
            }

            BinaryPrimitives.WriteInt32LittleEndian(bytes.GetSpan(sizeof(int)), token);
            bytes.Advance(sizeof(int));
            tokens++;
        }

        if (bytes.WrittenCount == 0)
        {
            return false;
        }

        Vector(bytes.WrittenSpan, vector);
        WriteVector(index, vector, output);
        return true;
    }

    private readonly void WriteVector(int index, Span<float> vector, JsonOut output)
    {
        output.Next();
        output.Open('{');
        output.Member("object"u8, "embedding"u8);
        output.Member("index"u8, index);
        output.Name("embedding"u8);
        if (_base64)
        {
            if (!BitConverter.IsLittleEndian)
            {
                Span<int> words = MemoryMarshal.Cast<float, int>(vector);
                BinaryPrimitives.ReverseEndianness(words, words);
            }

            output.Raw((byte)'"');
            output.Base64(MemoryMarshal.AsBytes(vector));
            output.Raw((byte)'"');
        }
        else
        {
            output.Open('[');
            foreach (float component in vector)
            {
                output.Next();
                output.Number(component);
            }

            output.Close(']');
        }

        output.Close('}');
    }
}
