using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Json;
using FastLLM.Pipeline;
using FastLLM.Requests;

namespace FastLLM.Jobs.Input;

/// <summary>Makes requests of plain rows by a <see cref="RowTemplate"/>. Immutable.</summary>
internal sealed class RowRequests
{
    private const string DefaultIdColumn = "custom_id";

    private static readonly string[] s_ownNames = ["messages", "input", "prompt", "instructions", "model", "stream"];

    private readonly List<(string Name, JsonTemplate Value)> _members = [];
    private readonly string _endpoint;
    private readonly string? _idColumn;
    private readonly string _text;

    /// <summary>Reads and checks a template.</summary>
    /// <exception cref="ArgumentException">The template is wrong.</exception>
    public RowRequests(RowTemplate template, string? model, string filesBelow, AnswerForm? form = null)
    {
        _endpoint = Array.Find(BatchLine.KnownUrls, url => url == template.Endpoint)
            ?? throw new ArgumentException($"The endpoint \"{template.Endpoint}\" is not one of {string.Join(", ", BatchLine.KnownUrls)}."
                + Suggestion.Sentence(template.Endpoint, BatchLine.KnownUrls));
        _idColumn = template.IdColumn;
        _text = template.Prompt + template.Messages + template.System;
        AllowMissing = template.AllowMissing;
        FilesBelow = filesBelow;
        if (model is not null)
        {
            JsonText.EnsureEncodable(model, "model");
            _members.Add(("model", JsonTemplate.Verbatim(model)));
        }

        AddQuestion(template, form is null ? template.System : form.SystemOf(template));
        foreach ((string name, string json) in template.Parameters)
        {
            AddParameter(name, json);
        }

        if (form?.ParameterOf(template) is { } parameter)
        {
            _members.Add((parameter.Name, JsonTemplate.Raw(parameter.Json)));
        }

        Columns = [.. _members.SelectMany(member => member.Value.Columns).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Gets the columns that the template names.</summary>
    public string[] Columns { get; }

    public bool AllowMissing { get; }

    public string FilesBelow { get; }

    /// <summary>Gets the row's own id, or <see langword="null"/> if its line number is its id.</summary>
    /// <exception cref="JsonException">The row must have an id, but has none.</exception>
    public string? IdOf(RowValues row)
    {
        string column = _idColumn ?? DefaultIdColumn;
        return row.TryGet(column, out string? id, out bool isKnown) ? id
            : isKnown ? throw new JsonException($"The column \"{column}\", which holds the IDs of the rows, is empty.")
            : _idColumn is null ? null
            : throw new JsonException($"The row has no column \"{column}\" for its ID.{Suggestion.Sentence(column, row.Columns)} "
                + $"The columns are: {RowValues.Listed(row.Columns)}.");
    }

    /// <summary>Creates the request of a row.</summary>
    /// <exception cref="JsonException">A value is missing.</exception>
    public LlmRequest Create(RowValues row, string? id)
    {
        ReadOnlyMemory<byte> body = JsonText.Build((_members, row), Write, static bytes => ChunkedAllocator.Requests.Copy(bytes));
        return LlmRequest.FromBody(_endpoint, body, id);

        static void Write(Utf8JsonWriter writer, (List<(string Name, JsonTemplate Value)> Members, RowValues Row) state)
        {
            writer.WriteStartObject();
            foreach ((string name, JsonTemplate value) in state.Members)
            {
                writer.WriteName(name);
                value.Write(writer, state.Row);
            }

            writer.WriteEndObject();
        }
    }

    /// <summary>Gets the message about columns that the template names but the input lacks.</summary>
    public static string NoSuchColumn(IEnumerable<string> missing, IReadOnlyCollection<string> columns)
    {
        string[] names = [.. missing];
        string[] meant =
        [
            .. names.Select(name => Suggestion.For(name, columns)).OfType<string>().Distinct(StringComparer.Ordinal).Select(Placeholder),
        ];
        string hint = meant.Length > 0 ? $" Did you mean {string.Join(", ", meant)}?" : "";
        return $"The template names {string.Join(", ", names.Select(Placeholder))}, but there is no such column.{hint} "
            + $"The columns are: {RowValues.Listed(columns)}.";
    }

    /// <summary>Gets a note on columns that a template names in single braces beside others in double braces; <see langword="null"/> if
    /// there are none.</summary>
    public string? NoteOnBraces(IReadOnlyCollection<string> columns)
    {
        string[] names = Columns.Length == 0 ? [] : [.. columns.Where(IsInSingleBraces)];
        return names.Length == 0 ? null
            : $"{string.Join(", ", names.Select(name => $"{{{name}}}"))} in single braces is sent as it is written. "
                + $"To insert the column, write {string.Join(", ", names.Select(Placeholder))}.";
    }

    /// <summary>Gets the message about a template that inserts no column because its braces are single; <see langword="null"/> if that is
    /// not so.</summary>
    public string? SingleBraces(IReadOnlyCollection<string> columns)
    {
        string[] names = Columns.Length > 0 || _text.Length == 0 ? []
            : [.. columns.Where(name => _text.Contains($"{{{name}}}", StringComparison.OrdinalIgnoreCase))];
        string written = string.Join(", ", names.Select(name => $"{{{name}}}"));
        return names.Length == 0 ? null
            : $"Single braces are plain text, so the template inserts no column: write {string.Join(", ", names.Select(Placeholder))} "
                + $"instead of {written}.";
    }

    /// <summary>Gets the error of a template, seen with a table's header: a column that the header lacks, or single braces.</summary>
    public string? FaultIn(IReadOnlyCollection<string> columns)
    {
        string[] missing = [.. Columns.Except(columns, StringComparer.Ordinal)];
        return missing.Length > 0 ? NoSuchColumn(missing, columns)
            : SingleBraces(columns) is { } braces ? braces
            : _idColumn is { } id && !columns.Contains(id, StringComparer.Ordinal)
                ? $"There is no column \"{id}\" for the IDs of the rows (--id-column).{Suggestion.Sentence(id, columns)} "
                    + $"The columns are: {RowValues.Listed(columns)}."
            : null;
    }

    private static string Placeholder(string name) => "{{" + name + "}}";

    private bool IsInSingleBraces(string name)
    {
        string braced = $"{{{name}}}";
        for (int at = 0; (at = _text.IndexOf(braced, at, StringComparison.OrdinalIgnoreCase)) >= 0; at += braced.Length)
        {
            int end = at + braced.Length;
            if ((at == 0 || _text[at - 1] != '{') && (end == _text.Length || _text[end] != '}'))
            {
                return true;
            }
        }

        return false;
    }

    private void AddQuestion(RowTemplate template, string? systemText)
    {
        if (template.Prompt is null == template.Messages is null)
        {
            throw new ArgumentException("A template needs either a prompt or messages, not both.");
        }

        if (string.IsNullOrWhiteSpace(template.Prompt ?? template.Messages))
        {
            throw new ArgumentException("The template is empty: write the prompt of each row, with columns in double braces.");
        }

        bool isChat = _endpoint == Endpoints.ChatCompletions;
        bool isResponses = _endpoint == Endpoints.Responses;
        if (template.Messages is not null && !isChat && !isResponses)
        {
            throw new ArgumentException($"Messages are for {Endpoints.ChatCompletions} and {Endpoints.Responses}, not for {_endpoint}.");
        }

        if (systemText is not null && !isChat && !isResponses)
        {
            throw new ArgumentException($"System text is for {Endpoints.ChatCompletions} and {Endpoints.Responses}, not for {_endpoint}.");
        }

        JsonTemplate? system = systemText is { } text ? JsonTemplate.Text(text) : null;
        JsonTemplate[] list = template.Messages is { } json ? JsonTemplate.Messages(json)
            : isChat ? [JsonTemplate.Message("user", JsonTemplate.Text(template.Prompt!))]
            : [];
        if (isChat)
        {
            _members.Add(("messages", JsonTemplate.Array(system is null ? list : [JsonTemplate.Message("system", system), .. list])));
            return;
        }

        if (system is not null)
        {
            _members.Add(("instructions", system));
        }

        JsonTemplate question = template.Messages is null ? JsonTemplate.Text(template.Prompt!) : JsonTemplate.Array(list);
        _members.Add((_endpoint == Endpoints.Completions ? "prompt" : "input", question));
    }

    private void AddParameter(string name, string json)
    {
        JsonText.EnsureEncodable(name, "parameter");
        if (name.Length == 0)
        {
            throw new ArgumentException("A parameter has no name.");
        }

        if (Array.IndexOf(s_ownNames, name) >= 0)
        {
            throw new ArgumentException(name == "model"
                ? "The model is set with --model, not as a parameter."
                : $"\"{name}\" cannot be set as a parameter, because the template or the way of sending sets it.");
        }

        try
        {
            _members.Add((name, JsonTemplate.Raw(json)));
        }
        catch (JsonException e)
        {
            string quoted = ShellWord.Quote($"{name}=\"{json}\"");
            string hint = json.Length > 0 && char.IsAsciiLetter(json[0]) ? $" Text needs quotes: --set {quoted}." : "";
            throw new ArgumentException($"The value of \"{name}\" is not JSON: {json}.{hint}", e);
        }
    }
}
