using FastLLM.Jobs.Input;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>How a request is made of a plain row: a text with the names of columns in it.</summary>
/// <remarks>
/// <para><c>{{column}}</c> stands for the row's value, inserted as text: nothing in a value can leave the text that it stands in, or name another
/// column. <c>{{{{</c> stands for two braces. <c>{{file:column}}</c> stands for the file that the value names, as a data URL: for images; only files in
/// the input's folder, or below it, are read.</para>
/// <para>A body made so has the key that the same body has anywhere else. No parameter is sent but those in <see cref="Parameters"/>.
/// Read when the run begins; later changes have no effect.</para>
/// </remarks>
public sealed class RowTemplate
{
    /// <summary>Gets or sets the text of the user's message, or what is embedded; this or <see cref="Messages"/>.</summary>
    public string? Prompt { get; set; }

    /// <summary>Gets or sets several messages: a JSON array as the API takes it, in which every text may name columns.</summary>
    public string? Messages { get; set; }

    /// <summary>Gets or sets the text of the system message; it may name columns too.</summary>
    public string? System { get; set; }

    /// <summary>Gets parameters of the body: each name with its value as JSON, such as <c>temperature</c> and <c>0.2</c>.</summary>
    public IDictionary<string, string> Parameters { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Gets or sets where requests go.</summary>
    /// <value>The default is <see cref="Endpoints.ChatCompletions"/>; the others are <see cref="Endpoints.Embeddings"/>, <see cref="Endpoints.Responses"/> and <see cref="Endpoints.Completions"/>.</value>
    public string Endpoint { get; set; } = Endpoints.ChatCompletions;

    /// <summary>Gets or sets the column that holds the rows' ids.</summary>
    /// <value>Left alone: the column <c>custom_id</c>, and where there is none, the line number.</value>
    public string? IdColumn { get; set; }

    /// <summary>Gets or sets a value indicating whether a missing value is the empty text, rather than a mistake.</summary>
    /// <remarks>Missing is a member that a JSON line does not have or has as null, and an empty cell of a table.</remarks>
    public bool AllowMissing { get; set; }

    /// <summary>Says whether all of it fits together.</summary>
    /// <exception cref="ArgumentException">It does not; the message says what is wrong.</exception>
    public void Check() => _ = new RowRequests(this, model: null, filesBelow: ".");
}
