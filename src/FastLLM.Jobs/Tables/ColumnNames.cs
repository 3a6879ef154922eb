using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>Collects the columns of an input's rows, in the order of their first occurrence, and names the added columns.</summary>
internal sealed class ColumnNames
{
    private const int MaxColumns = 16_384; // of a spreadsheet

    private static readonly string[] s_added = ["answer", "finish_reason", "error", "prompt_tokens", "completion_tokens", "cost"];

    private readonly List<string> _names = [];
    private readonly List<byte[]> _utf8Names = [];
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>Gets the columns of the input.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>Gets the added columns. A name that the input has is prefixed with <c>llm_</c>.</summary>
    /// <param name="withId">Whether the rows' ids are an added column, the first.</param>
    public string[] Added(bool withId) => [.. (withId ? s_added.Prepend("custom_id") : s_added).Select(Free)];

    /// <summary>Adds the columns of a row.</summary>
    /// <param name="columns">A JSON object, or nothing.</param>
    /// <exception cref="InvalidDataException">There are more columns than a table can have.</exception>
    public void See(ReadOnlySpan<byte> columns)
    {
        if (columns.IsEmpty)
        {
            return;
        }

        var reader = new Utf8JsonReader(columns, RowOutcome.JsonOptions);
        reader.Read();
        for (var i = 0; reader.Read() && reader.TokenType == JsonTokenType.PropertyName; i++)
        {
            // Nearly always the columns of the row before: compared without allocating.
            if (i >= _names.Count || !reader.TextIs(_utf8Names[i]))
            {
                Add(reader.Text());
            }

            reader.Read();
            reader.Skip();
        }
    }

    private void Add(string name)
    {
        if (!_known.Add(name))
        {
            return;
        }

        if (_names.Count == MaxColumns)
        {
            throw new InvalidDataException(
                $"The rows have more than {MaxColumns} columns, too many for a table. Write OpenAI's lines: --output-format openai.");
        }

        _names.Add(name);
        _utf8Names.Add(Encoding.UTF8.GetBytes(name));
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
