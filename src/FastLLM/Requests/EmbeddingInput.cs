using System.Collections;
using System.Runtime.CompilerServices;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM;

/// <summary>Represents the input of an embedding request: one text, several texts, or texts as token numbers.</summary>
/// <remarks>Immutable. Each element gets a vector, also a blank one.</remarks>
[CollectionBuilder(typeof(EmbeddingInput), nameof(Create))]
public sealed class EmbeddingInput : IReadOnlyList<string>
{
    private readonly string[] _texts;
    private readonly byte[]? _json;
    private readonly bool _single;

    private EmbeddingInput(string[] texts, bool single, byte[]? json = null)
    {
        _texts = texts;
        _single = single;
        _json = json;
    }

    /// <summary>Gets the number of texts; 0 if the input is token numbers.</summary>
    public int Count => _texts.Length;

    /// <summary>Gets a text.</summary>
    /// <param name="index">The index of the text.</param>
    public string this[int index] => _texts[index];

    /// <summary>Converts one text.</summary>
    /// <param name="text">The text.</param>
    public static implicit operator EmbeddingInput(string text) => FromString(text);

    /// <summary>Converts several texts.</summary>
    /// <param name="texts">The texts.</param>
    public static implicit operator EmbeddingInput(string[] texts) => Create(texts);

    /// <summary>Converts several texts.</summary>
    /// <param name="texts">The texts.</param>
    public static implicit operator EmbeddingInput(List<string> texts) => Create([.. texts]);

    /// <summary>Creates an input of one text.</summary>
    /// <param name="text">The text.</param>
    public static EmbeddingInput FromString(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new EmbeddingInput([text], single: true);
    }

    /// <summary>Creates an input of several texts.</summary>
    /// <param name="texts">The texts.</param>
    public static EmbeddingInput Create(ReadOnlySpan<string> texts)
    {
        foreach (string text in texts)
        {
            ArgumentNullException.ThrowIfNull(text, nameof(texts));
        }

        return new EmbeddingInput(texts.ToArray(), single: false);
    }

    /// <summary>Creates an input of one text as token numbers.</summary>
    /// <param name="tokens">The tokens.</param>
    public static EmbeddingInput FromTokens(IEnumerable<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        return new EmbeddingInput([], single: false, JsonText.Build(writer => WriteTokens(writer, tokens)));
    }

    /// <summary>Creates an input of several texts as token numbers.</summary>
    /// <param name="texts">The tokens of each text.</param>
    public static EmbeddingInput FromTokens(IEnumerable<IEnumerable<int>> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return new EmbeddingInput([], single: false, JsonText.Build(writer =>
        {
            writer.WriteStartArray();
            foreach (IEnumerable<int> tokens in texts)
            {
                WriteTokens(writer, tokens);
            }

            writer.WriteEndArray();
        }));
    }

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => _texts.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static EmbeddingInput FromJson(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.String)
        {
            return FromString(JsonText.StringOf(json));
        }

        return json.ValueKind == JsonValueKind.Array && json.EnumerateArray().All(text => text.ValueKind == JsonValueKind.String)
            ? new EmbeddingInput([.. json.EnumerateArray().Select(JsonText.StringOf)], single: false)
            : new EmbeddingInput([], single: false, JsonText.BytesOf(json));
    }

    internal void WriteTo(Utf8JsonWriter writer)
    {
        if (_json is not null)
        {
            writer.WritePropertyName("input"u8);
            writer.WriteRawValue(_json, skipInputValidation: true);
            return;
        }

        if (_single)
        {
            writer.WriteText("input"u8, _texts[0]);
            return;
        }

        writer.WriteStartArray("input"u8);
        foreach (string text in _texts)
        {
            writer.WriteText(text);
        }

        writer.WriteEndArray();
    }

    private static void WriteTokens(Utf8JsonWriter writer, IEnumerable<int> tokens)
    {
        writer.WriteStartArray();
        foreach (int token in tokens)
        {
            writer.WriteNumberValue(token);
        }

        writer.WriteEndArray();
    }
}
