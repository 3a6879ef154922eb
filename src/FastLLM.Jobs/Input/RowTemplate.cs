using FastLLM.Jobs.Input;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>Makes a request of a plain row: text in which names of columns stand for the row's values.</summary>
/// <remarks>
/// <para><c>{{column}}</c> is replaced by the row's value, as text: a value cannot end the text that contains it, or name another column.
/// <c>{{{{</c> stands for two braces. <c>{{file:column}}</c> is replaced by the file that the value names, as a data URL, for images; only
/// files inside the input's folder are read.</para>
/// <para>The body has the same key as an equal body from elsewhere. Only the parameters in <see cref="Parameters"/> are sent.
/// Read when a job is planned or run; later changes have no effect.</para>
/// </remarks>
public sealed class RowTemplate
{
    /// <summary>Gets or sets the user message, or the text to embed. Set this or <see cref="Messages"/>.</summary>
    public string? Prompt { get; set; }

    /// <summary>Gets or sets several messages: a JSON array for the API, whose text may name columns.</summary>
    public string? Messages { get; set; }

    /// <summary>Gets or sets the system message; it may name columns too.</summary>
    public string? System { get; set; }

    /// <summary>Gets the parameters of the body: each name with its JSON value, such as <c>temperature</c> and <c>0.2</c>.</summary>
    public IDictionary<string, string> Parameters { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Gets or sets the endpoint.</summary>
    /// <value>The default is <see cref="Endpoints.ChatCompletions"/>; any constant of <see cref="Endpoints"/> is valid.</value>
    public string Endpoint { get; set; } = Endpoints.ChatCompletions;

    /// <summary>Gets or sets the column with the rows' ids.</summary>
    /// <value>The default is the column <c>custom_id</c>, or the line number without such a column.</value>
    public string? IdColumn { get; set; }

    /// <summary>Gets or sets a value indicating whether a missing value is empty text rather than an error.</summary>
    /// <remarks>A member that a JSON line lacks or has as null is missing, and so is an empty cell of a table.</remarks>
    public bool AllowMissing { get; set; }

    /// <summary>Checks the template.</summary>
    /// <exception cref="ArgumentException">The template is wrong; the message says how.</exception>
    public void Check() => _ = new RowRequests(this, model: null, filesBelow: ".");
}
