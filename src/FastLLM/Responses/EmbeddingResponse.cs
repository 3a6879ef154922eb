using System.Buffers.Binary;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM;

/// <summary>Represents the vectors of an embedding request.</summary>
public sealed class EmbeddingResponse : LlmResponse
{
    private IReadOnlyList<ReadOnlyMemory<float>>? _embeddings;

    internal EmbeddingResponse(ReadOnlyMemory<byte> rawBody)
        : base(rawBody)
    {
    }

    /// <summary>Gets one vector for each input, in the order of the inputs, from numbers or base64.</summary>
    /// <exception cref="JsonException">A vector is neither an array of numbers nor base64 of 32-bit floats.</exception>
    public IReadOnlyList<ReadOnlyMemory<float>> Embeddings => _embeddings ??= ReadAll();

    private ReadOnlyMemory<float>[] ReadAll()
    {
        JsonElement[] data = [.. Json.Elements("data")];
        var vectors = new ReadOnlyMemory<float>[data.Length];
        var placed = new bool[data.Length];
        for (var i = 0; i < data.Length; i++)
        {
            int place = IndexOf(data[i], i, data.Length, placed);
            placed[place] = true;
            vectors[place] = ReadVector(data[i].Member("embedding"));
        }

        return vectors;
    }

    // The list may have any order; an item whose index is missing, wrong or taken gets its place in the list.
    private static int IndexOf(JsonElement item, int place, int count, bool[] placed)
    {
        return item.Whole("index") is { } index && index >= 0 && index < count && !placed[index] ? (int)index
            : placed[place] ? Array.IndexOf(placed, false)
            : place;
    }

    private static float[] ReadVector(JsonElement embedding)
    {
        if (embedding.ValueKind == JsonValueKind.Array)
        {
            var vector = new float[embedding.GetArrayLength()];
            var i = 0;
            foreach (JsonElement number in embedding.EnumerateArray())
            {
                vector[i++] = number.ValueKind == JsonValueKind.Number && number.TryGetSingle(out float value)
                    ? value
                    : throw new JsonException($"An embedding holds a {number.ValueKind} where a number should stand.");
            }

            return vector;
        }

        if (embedding.ValueKind != JsonValueKind.String || !embedding.TryGetBytesFromBase64(out byte[]? bytes)
            || bytes.Length % sizeof(float) != 0)
        {
            throw new JsonException("An embedding is neither an array of numbers nor base64 of 32-bit floats.");
        }

        var floats = new float[bytes.Length / sizeof(float)];
        for (var i = 0; i < floats.Length; i++)
        {
            floats[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(i * sizeof(float)));
        }

        return floats;
    }
}
