using FastLLM.Jobs.Answers;

namespace FastLLM.Jobs.Tables;

/// <summary>Represents the columns of an output table: the row's id if it needs one, the input's columns, then the answer's.</summary>
internal sealed class TableLayout
{
    private readonly ColumnNames _columns;

    /// <param name="columns">The columns of the input.</param>
    /// <param name="withId">Whether the rows' ids are a column, the first.</param>
    /// <param name="form">What answers look like; <see langword="null"/> for any text.</param>
    public TableLayout(ColumnNames columns, bool withId, AnswerForm? form = null)
    {
        _columns = columns;
        Answer = new AnswerColumns(columns, form);
        IdName = withId ? columns.Free("custom_id") : null;
        string[] id = IdName is null ? [] : [IdName];
        Names = [.. id, .. columns.Names, .. Answer.Names];
        Kinds = [.. id.Select(_ => ColumnKinds.Text), .. columns.Kinds, .. Answer.Kinds];
        FirstAnswer = Names.Count - Answer.Names.Count;
    }

    /// <summary>Gets the columns of answers.</summary>
    public AnswerColumns Answer { get; }

    /// <summary>Gets the name of the column with the rows' ids; <see langword="null"/> without one.</summary>
    public string? IdName { get; }

    /// <summary>Gets the names of all columns.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Gets what the values of all columns are.</summary>
    public IReadOnlyList<ColumnKinds> Kinds { get; }

    /// <summary>Gets the place of the first column that is not the user's own.</summary>
    public int FirstAnswer { get; }

    /// <summary>Composes a row.</summary>
    /// <param name="id">The row's id.</param>
    /// <param name="own">The row's columns; empty if the record carries them.</param>
    /// <param name="outcome">The outcome; <see langword="null"/> if the row has none yet.</param>
    public OutputRow RowOf(string id, in RowColumns own, in RowOutcome? outcome)
    {
        if (outcome is not { } known)
        {
            return new OutputRow(id, own, Answer.Unanswered);
        }

        RowColumns columns = own.IsEmpty ? new RowColumns(known.Columns) : own;
        string? error = columns.IsEmpty && IdName is null && known.Error is not null ? $"{known.CustomId}: {known.Error}" : known.Error;
        return new OutputRow(known.CustomId, columns, Answer.CellsOf(known, error));
    }

    /// <summary>Gets the cells of a row, one for each column.</summary>
    public Cell[] CellsOf(in OutputRow row)
    {
        var cells = new Cell[Names.Count];
        int first = IdName is null ? 0 : 1;
        if (first > 0)
        {
            cells[0] = Cell.Text(row.Id);
        }

        foreach ((string name, Cell cell) in row.Own.Read())
        {
            // A kept record may carry a column that the input no longer has.
            if (_columns.PlaceOf(name) is >= 0 and var place)
            {
                cells[first + place] = cell;
            }
        }

        row.Added.CopyTo(cells, FirstAnswer);
        return cells;
    }
}

/// <summary>Represents a row of an output table: its id, the columns of the input, and the cells of the answer.</summary>
internal readonly record struct OutputRow(string Id, RowColumns Own, Cell[] Added);
