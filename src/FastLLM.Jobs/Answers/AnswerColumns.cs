using System.Text.Json;
using FastLLM.Jobs.Tables;
using FastLLM.Json;

namespace FastLLM.Jobs.Answers;

/// <summary>Adds the members of answers to the columns of their rows, as if the input had them.</summary>
/// <remarks>They follow the columns of the input. A name that the input has is prefixed with <c>llm_</c>.</remarks>
internal sealed class AnswerColumns
{
    private readonly AnswerForm _form;
    private readonly (string Field, string Column)[] _columns;

    /// <summary>Adds the columns to those of the input.</summary>
    public AnswerColumns(AnswerForm form, ColumnNames columns)
    {
        _form = form;
        var known = columns.Names.ToHashSet(StringComparer.Ordinal);
        _columns = [.. form.Fields.Select(field => (field.Name, Free(field.Name, known)))];
        columns.See(JsonText.Build(writer =>
        {
            writer.WriteStartObject();
            foreach ((_, string column) in _columns)
            {
                writer.WriteNull(column);
            }

            writer.WriteEndObject();
        }));
    }

    /// <summary>Returns the columns of a row with the members of its answer; null if there is no answer of the form.</summary>
    /// <param name="own">The row's columns as a JSON object; empty for none.</param>
    /// <param name="outcome">The outcome of the row.</param>
    public ReadOnlyMemory<byte> AddTo(ReadOnlyMemory<byte> own, in RowOutcome outcome)
    {
        using JsonDocument? answer = outcome.Text is { } text ? _form.Read(text) : null;
        using JsonDocument? row = own.IsEmpty ? null : JsonDocument.Parse(own, RowOutcome.DocumentOptions);
        return JsonText.Build(writer =>
        {
            writer.WriteStartObject();
            if (row?.RootElement.ValueKind == JsonValueKind.Object)
            {
                foreach (JsonProperty column in row.RootElement.EnumerateObject())
                {
                    writer.WritePropertyName(column.NameText());
                    writer.WriteRaw(column.Value);
                }
            }

            foreach ((string field, string column) in _columns)
            {
                writer.WritePropertyName(column);
                JsonElement value = answer?.RootElement.Member(field) ?? default;
                if (value.ValueKind == JsonValueKind.Undefined)
                {
                    writer.WriteNullValue();
                }
                else
                {
                    writer.WriteRaw(value);
                }
            }

            writer.WriteEndObject();
        });
    }

    private static string Free(string name, HashSet<string> known)
    {
        while (!known.Add(name))
        {
            name = "llm_" + name;
        }

        return name;
    }
}
