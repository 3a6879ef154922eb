namespace FastLLM.Jobs.Tables;

/// <summary>Turns the outcome of a row into the cells that every form of table adds to the input's columns.</summary>
internal sealed class AnswerColumns
{
    private static readonly (string Name, ColumnKinds Kind)[] s_columns =
    [
        ("answer", ColumnKinds.Text), ("finish_reason", ColumnKinds.Text), ("error", ColumnKinds.Text),
        ("prompt_tokens", ColumnKinds.Whole), ("completion_tokens", ColumnKinds.Whole), ("cost", ColumnKinds.Number),
    ];

    /// <summary>Names the columns. A name that the input has is prefixed with <c>llm_</c>.</summary>
    public AnswerColumns(ColumnNames columns) => Names = [.. s_columns.Select(column => columns.Free(column.Name))];

    /// <summary>Gets the names of the columns.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Gets what the values of the columns are.</summary>
    public IReadOnlyList<ColumnKinds> Kinds { get; } = [.. s_columns.Select(column => column.Kind)];

    /// <summary>Gets the cells of a row without an outcome.</summary>
    public Cell[] Unanswered => [.. Names.Select(_ => Cell.Empty)];

    /// <summary>Gets the cells of a row.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="error">The error of the row, if it failed.</param>
    public static Cell[] CellsOf(in RowOutcome outcome, string? error)
    {
        Cell answer = outcome.Json is { } json ? Cell.Json(json) : Cell.Text(outcome.Text);
        return
        [
            answer, Cell.Text(outcome.FinishReason), Cell.Text(error),
            Cell.Number(outcome.PromptTokens), Cell.Number(outcome.CompletionTokens), Cell.Number(outcome.Cost),
        ];
    }
}
