using System.Text.Json;
using FastLLM.Jobs.Answers;

namespace FastLLM;

/// <summary>Represents what the answers of a job must look like: one of some labels, or JSON that fits a schema.</summary>
/// <remarks>
/// <para>Requests made by a template carry the form as <c>response_format</c> (<c>text.format</c> for <c>/v1/responses</c>), or, after
/// <see cref="InPrompt"/>, in their system message. Rows that are requests are sent as they are. In each case the answers are checked; one
/// that does not fit is corrected once (<see cref="AnswerCheck"/>). The members of the answers are columns of a table.</para>
/// <para>Immutable. See <c>docs/structured-output.md</c>.</para>
/// </remarks>
public sealed class AnswerForm
{
    private const string LabelField = "label";
    private const int MaxLabels = 500; // what OpenAI allows in a schema

    private readonly LabelSet? _labels;
    private readonly bool _isRootObject;

    private AnswerForm(string schema, SchemaRules rules, LabelSet? labels, bool isInPrompt)
    {
        Schema = schema;
        Rules = rules;
        _labels = labels;
        IsInPrompt = isInPrompt;
        using JsonDocument document = JsonDocument.Parse(schema);
        Fields = AnswerField.Of(document.RootElement);
        _isRootObject = SchemaRules.IsObject(document.RootElement);
        Check = labels is null
            ? new AnswerCheck(new SchemaCheck(schema).ErrorOf, $"The answer must be JSON that fits this JSON Schema: {schema}")
            : new AnswerCheck(labels.ErrorOf, labels.Instruction);
    }

    /// <summary>Gets the JSON schema of the answers.</summary>
    public string Schema { get; }

    /// <summary>Gets a value indicating whether the system message describes the form, rather than <c>response_format</c>.</summary>
    public bool IsInPrompt { get; }

    /// <summary>Gets a value indicating whether strict mode knows all of the schema, so that the provider enforces it.</summary>
    public bool IsStrict => Rules.IsStrict;

    /// <summary>Gets the names of the columns that the answers fill.</summary>
    public IReadOnlyList<string> Columns => [.. Fields.Select(member => member.Name)];

    /// <summary>Gets the check of the answers.</summary>
    public AnswerCheck Check { get; }

    /// <summary>Gets the members of the answers.</summary>
    internal IReadOnlyList<AnswerField> Fields { get; }

    /// <summary>Gets the labels; <see langword="null"/> if the answers are JSON.</summary>
    internal IReadOnlyList<string>? Labels => _labels?.Labels;

    /// <summary>Gets what was found about the schema.</summary>
    internal SchemaRules Rules { get; }

    /// <summary>Gets the text that describes the form to a model.</summary>
    internal string Instruction => _labels?.Instruction ?? Check.Instruction! + "\nAnswer with the JSON only.";

    /// <summary>Creates the form of answers that are one of several labels. White space, quotation marks and letter case around a label are
    /// read leniently; the column <c>label</c> has the label as it is given here.</summary>
    /// <exception cref="ArgumentException">There are fewer than two labels, one is blank, or two differ only in case.</exception>
    public static AnswerForm OfLabels(params IEnumerable<string> labels)
    {
        string[] all = [.. labels.Select(label => label.Trim())];
        Refuse(all.Length < 2, "Name at least two labels, with commas between them, such as good,bad.");
        Refuse(all.Length > MaxLabels, $"There are {all.Length} labels; providers allow {MaxLabels}.");
        Refuse(all.Contains(""), "A label is empty.");
        string? twice = all.GroupBy(label => label, StringComparer.OrdinalIgnoreCase).FirstOrDefault(group => group.Count() > 1)?.Key;
        Refuse(twice is not null, $"The label \"{twice}\" occurs twice (letter case does not count). Remove one of them.");
        string schema = FieldList.SchemaOf([new FieldList.Field(LabelField, FieldList.EnumOf(all))]);
        return new AnswerForm(schema, SchemaRules.Of(schema), new LabelSet(LabelField, all), isInPrompt: false);
    }

    /// <summary>Creates the form of answers that are JSON objects with some fields, such as
    /// <c>sentiment:good|bad|mixed,score:number,topics:string[],note:string?</c>.</summary>
    /// <remarks>Types are <c>string</c>, <c>number</c>, <c>integer</c>, <c>boolean</c>, or values with <c>|</c> between them. <c>[]</c>
    /// makes a list, and <c>?</c> allows null.</remarks>
    /// <exception cref="ArgumentException">A field has no known type, or occurs twice.</exception>
    public static AnswerForm OfFields(string fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        string schema = FieldList.SchemaOf(FieldList.Parse(fields));
        return new AnswerForm(schema, SchemaRules.Of(schema), labels: null, isInPrompt: false);
    }

    /// <summary>Creates the form of answers that fit a JSON schema.</summary>
    /// <param name="json">The schema. Without <c>$schema</c> it is read as draft 2020-12.</param>
    /// <exception cref="ArgumentException">The text is not a JSON schema, has a keyword that is not known, or refers to another
    /// document.</exception>
    public static AnswerForm OfSchema(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        return new AnswerForm(SchemaRules.Minify(json), SchemaRules.Of(json), labels: null, isInPrompt: false);
    }

    /// <summary>Returns the form for providers that do not know <c>response_format</c>: the system message describes it.</summary>
    public AnswerForm InPrompt() => IsInPrompt ? this : new AnswerForm(Schema, Rules, _labels, isInPrompt: true);

    /// <summary>Gets the text of the system message of a template with this form; <see langword="null"/> for none.</summary>
    internal string? SystemOf(RowTemplate template) => !IsInPrompt ? template.System
        : (template.System is { } own ? own + "\n\n" : "") + Instruction.Replace("{{", "{{{{", StringComparison.Ordinal);

    /// <summary>Gets the parameter of the body that carries the form, if one does.</summary>
    /// <exception cref="ArgumentException">The template does not go with the form.</exception>
    internal (string Name, string Json)? ParameterOf(RowTemplate template)
    {
        bool isChat = template.Endpoint == Endpoints.ChatCompletions;
        Refuse(
            !isChat && template.Endpoint != Endpoints.Responses,
            $"Labels, fields and schemas are for {Endpoints.ChatCompletions} and {Endpoints.Responses}, not for {template.Endpoint}.");
        string name = isChat ? "response_format" : "text";
        Refuse(template.Parameters.ContainsKey(name), $"The labels, fields or schema set \"{name}\"; do not set it as a parameter too.");
        if (IsInPrompt)
        {
            return null;
        }

        Refuse(
            !_isRootObject,
            "The root of the schema is not an object (\"type\": \"object\"), which response_format needs. Wrap the value in an object, or "
            + "describe the form in the system message (InPrompt, --schema-in-prompt).");
        string strict = IsStrict ? "true" : "false";
        string format = $"\"name\":\"answer\",\"strict\":{strict},\"schema\":{Schema}";
        return (name, isChat
            ? $$$"""{"type":"json_schema","json_schema":{{{{format}}}}}"""
            : $$$"""{"format":{"type":"json_schema",{{{format}}}}}""");
    }

    /// <summary>Reads the members of an answer that passes the check.</summary>
    /// <returns>A JSON object; <see langword="null"/> if the text does not have the form.</returns>
    internal JsonDocument? Read(string text) => _labels is not null ? _labels.Read(text)
        : Checks.JsonAnswer.TryParse(text, out JsonDocument? document, out _) ? document
        : null;

    private static void Refuse(bool isWrong, string why)
    {
        if (isWrong)
        {
            throw new ArgumentException(why);
        }
    }
}
