using System.Text.Json;
using FastLLM.Jobs.Answers;
using FastLLM.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>Turns the outcome of a row into the cells that every form of table adds to the input's columns: first the members of an answer
/// that has a form, then the answer and its details.</summary>
internal sealed class AnswerColumns
{
    private static readonly (string Name, ColumnKinds Kind)[] s_columns =
    [
        ("answer", ColumnKinds.Text), ("finish_reason", ColumnKinds.Text), ("error", ColumnKinds.Text),
        ("prompt_tokens", ColumnKinds.Whole), ("completion_tokens", ColumnKinds.Whole), ("cost", ColumnKinds.Number),
    ];

    private readonly AnswerForm? _form;
    private readonly int _fields;

    /// <summary>Names the columns. A name that the input or the form has is prefixed with <c>llm_</c>.</summary>
    /// <param name="columns">The columns of the input.</param>
    /// <param name="form">What answers look like; <see langword="null"/> for any text.</param>
    public AnswerColumns(ColumnNames columns, AnswerForm? form = null)
    {
        _form = form;
        _fields = form?.Fields.Count ?? 0;
        var names = new List<string>();
        IEnumerable<string> fields = (form?.Fields ?? []).Select(static field => field.Name);
        foreach (string wanted in fields.Concat(s_columns.Select(static column => column.Name)))
        {
            string name = columns.Free(wanted);
            while (names.Contains(name))
            {
                name = columns.Free("llm_" + name);
            }

            names.Add(name);
        }

        Names = names;

        // Members of answers are of any kind: a schema may allow several.
        Kinds = [.. Enumerable.Repeat(ColumnKinds.Text, _fields), .. s_columns.Select(column => column.Kind)];
    }

    /// <summary>Gets the names of the columns.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Gets what the values of the columns are.</summary>
    public IReadOnlyList<ColumnKinds> Kinds { get; }

    /// <summary>Gets the cells of a row without an outcome.</summary>
    public Cell[] Unanswered => [.. Names.Select(_ => Cell.Empty)];

    /// <summary>Gets the cells of a row.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="error">The error of the row, if it failed.</param>
    public Cell[] CellsOf(in RowOutcome outcome, string? error)
    {
        Cell answer = outcome.Json is { } json ? Cell.Json(json) : Cell.Text(outcome.Text);
        return
        [
            .. Members(outcome.Text), answer, Cell.Text(outcome.FinishReason), Cell.Text(error),
            Cell.Whole(outcome.PromptTokens), Cell.Whole(outcome.CompletionTokens), Cell.Number(outcome.Cost),
        ];
    }

    private Cell[] Members(string? text)
    {
        if (_form is null)
        {
            return [];
        }

        var cells = new Cell[_fields];
        using JsonDocument? answer = text is null ? null : _form.Read(text);
        for (var i = 0; i < _fields; i++)
        {
            cells[i] = answer is null ? Cell.Empty : Cell.Of(answer.RootElement.Member(_form.Fields[i].Name));
        }

        return cells;
    }
}
