using FastLLM.Json;

namespace FastLLM.Jobs.Input;

/// <summary>Represents text with placeholders for columns: <c>Classify: {{text}}</c>.</summary>
/// <remarks><c>{{{{</c> is two braces as text; of three braces in a row, the first is text. Single braces are text.</remarks>
internal sealed class TextTemplate
{
    private const string Open = "{{";
    private const string Close = "}}";
    private const string FilePrefix = "file:";
    private const string Help = "Write {{name}} to insert a column, or {{{{ for two braces as text.";

    private readonly List<Piece> _pieces = [];

    /// <summary>Reads a template.</summary>
    /// <exception cref="ArgumentException">A placeholder is not closed, or has no name.</exception>
    public TextTemplate(string text)
    {
        JsonText.EnsureEncodable(text, "template");
        var literal = new System.Text.StringBuilder();
        for (var at = 0; at < text.Length;)
        {
            int open = text.IndexOf(Open, at, StringComparison.Ordinal);
            literal.Append(text.AsSpan(at, (open < 0 ? text.Length : open) - at));
            if (open < 0)
            {
                break;
            }

            int braces = text.AsSpan(open).IndexOfAnyExcept('{') is >= 0 and var length ? length : text.Length - open;
            if (braces >= 4)
            {
                literal.Append(Open);
                at = open + 4;
                continue;
            }

            literal.Append('{', braces - 2);
            int name = open + braces;
            int close = text.IndexOf(Close, name, StringComparison.Ordinal);
            if (close < 0)
            {
                throw new ArgumentException($"The template has \"{Shown(text[open..])}\" without closing braces. {Help}");
            }

            Add(literal.ToString(), text[name..close].Trim());
            literal.Clear();
            at = close + 2;
        }

        Tail = literal.ToString();
    }

    /// <summary>Gets the columns that the text names.</summary>
    public IEnumerable<string> Columns => _pieces.Select(piece => piece.Column);

    /// <summary>Gets the text after the last placeholder.</summary>
    public string Tail { get; }

    /// <summary>Gets the text with the values of a row.</summary>
    /// <exception cref="System.Text.Json.JsonException">A value is missing, or a file cannot be read.</exception>
    public string Fill(RowValues values)
    {
        if (_pieces.Count == 0)
        {
            return Tail;
        }

        var text = new System.Text.StringBuilder();
        foreach (Piece piece in _pieces)
        {
            text.Append(piece.Before).Append(piece.IsFile ? values.FileOf(piece.Column) : values.TextOf(piece.Column));
        }

        return text.Append(Tail).ToString();
    }

    private static string Shown(string text) => text.Length <= 40 ? text : text[..40] + "…";

    private void Add(string before, string name)
    {
        bool isFile = name.StartsWith(FilePrefix, StringComparison.Ordinal);
        name = isFile ? name[FilePrefix.Length..].Trim() : name;
        if (name.Length == 0 || name.Contains('{', StringComparison.Ordinal))
        {
            throw new ArgumentException($"{{{{{Shown(name)}}}}} in the template names no column. {Help}");
        }

        _pieces.Add(new Piece(before, name, isFile));
    }

    private readonly record struct Piece(string Before, string Column, bool IsFile);
}
