using System.Text.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>The columns that the rows of an input have, in the order in which they were first seen, and those that are added.</summary>
internal sealed class ColumnNames
{
    /// <summary>As many as a spreadsheet has.</summary>
    public const int Most = 16_384;

    private static readonly string[] s_added = ["answer", "finish_reason", "error", "prompt_tokens", "completion_tokens", "cost"];

    private readonly List<string> _names = [];
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>The columns of the input.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>The columns that are added; one that the input has already gets <c>llm_</c> before its name.</summary>
    /// <param name="withId">Whether the rows' ids are one of them, the first.</param>
    public string[] Added(bool withId) => [.. (withId ? s_added.Prepend("custom_id") : s_added).Select(Free)];

    /// <summary>Looks at a row's columns.</summary>
    /// <param name="columns">A JSON object, or nothing.</param>
    /// <exception cref="InvalidDataException">There are more than a table can have.</exception>
    public void See(ReadOnlySpan<byte> columns)
    {
        if (columns.IsEmpty)
        {
            return;
        }

        try
        {
            Add(new Utf8JsonReader(columns, RowOutcome.JsonOptions));
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException("A column's name has half of a surrogate pair, which UTF-8 cannot carry.", e);
        }
    }

    private void Add(Utf8JsonReader reader)
    {
        reader.Read();
        for (var i = 0; reader.Read() && reader.TokenType == JsonTokenType.PropertyName; i++)
        {
            if ((i >= _names.Count || !reader.ValueTextEquals(_names[i])) && reader.GetString()! is var name && _known.Add(name))
            {
                _names.Add(_names.Count < Most ? name : throw new InvalidDataException($"The rows have more than {Most} different columns, which no table holds. Write OpenAI's lines: --output-format openai."));
            }

            reader.Read();
            reader.Skip();
        }
    }

    private string Free(string name)
    {
        while (_known.Contains(name))
        {
            name = "llm_" + name;
        }

        return name;
    }
}
