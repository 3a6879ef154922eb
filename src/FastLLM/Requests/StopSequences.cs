using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM;

/// <summary>Represents one or more texts at which a model stops. They may be blank, such as <c>"\n"</c>.</summary>
/// <remarks>Immutable. One text is sent as a string, several as an array; the two have different keys.</remarks>
[CollectionBuilder(typeof(StopSequences), nameof(Create))]
public sealed class StopSequences : IReadOnlyList<string>
{
    private readonly string[] _texts;
    private readonly bool _single;

    private StopSequences(string[] texts, bool single)
    {
        foreach (string text in texts)
        {
            ArgumentNullException.ThrowIfNull(text, "stop");
        }

        _texts = texts;
        _single = single;
    }

    /// <inheritdoc/>
    public int Count => _texts.Length;

    /// <inheritdoc/>
    public string this[int index] => _texts[index];

    /// <summary>Converts one text.</summary>
    /// <param name="text">The text at which to stop.</param>
    [return: NotNullIfNotNull(nameof(text))]
    public static implicit operator StopSequences?(string? text) => text is null ? null : FromString(text);

    /// <summary>Converts several texts.</summary>
    /// <param name="texts">The texts at which to stop.</param>
    [return: NotNullIfNotNull(nameof(texts))]
    public static implicit operator StopSequences?(string[]? texts) => texts is null ? null : Create(texts);

    /// <summary>Converts several texts.</summary>
    /// <param name="texts">The texts at which to stop.</param>
    [return: NotNullIfNotNull(nameof(texts))]
    public static implicit operator StopSequences?(List<string>? texts) => texts is null ? null : Create([.. texts]);

    /// <summary>Creates stop sequences of one text.</summary>
    /// <param name="text">The text at which to stop.</param>
    public static StopSequences FromString(string text) => new([text], single: true);

    /// <summary>Creates stop sequences of several texts.</summary>
    /// <param name="texts">The texts at which to stop.</param>
    public static StopSequences Create(ReadOnlySpan<string> texts) => new(texts.ToArray(), single: false);

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => _texts.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal void WriteTo(Utf8JsonWriter writer)
    {
        if (_single)
        {
            writer.WriteText("stop"u8, _texts[0]);
            return;
        }

        writer.WriteStartArray("stop"u8);
        foreach (string text in _texts)
        {
            writer.WriteText(text);
        }

        writer.WriteEndArray();
    }
}
