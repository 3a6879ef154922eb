using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>Represents one request to a model.</summary>
/// <remarks>
/// <para>Immutable and safe to share between threads; <c>with</c> creates a changed copy. Two requests are equal if they have the same
/// <see cref="Key"/>, whatever their <see cref="Provider"/> label and <see cref="CustomId"/>.</para>
/// <para>The properties that are set are sent, and <see cref="Temperature"/> 0.7 if it is not set. A request read from JSON
/// (<see cref="FromJson(string)"/>, a file row) is sent byte for byte, with nothing added.</para>
/// </remarks>
// Long because of the documentation of its properties.
public sealed record LlmRequest
{
    // Everything that a caller sets, and nothing else: a copy takes the whole of it.
    private RequestFields _fields;

    // Derived from the fields once, when first needed. A copy starts without them.
    private ReadOnlyMemory<byte> _body;
    private RequestKey _key;
    private volatile Prepared _prepared;

    // True for a request that came as JSON: all fields but model and stream are read from the body when first needed.
    private volatile bool _unread;

    /// <summary>Creates an empty request, to be filled by an object initializer.</summary>
    public LlmRequest() => _fields = RequestFields.Defaults;

    private LlmRequest(LlmRequest original) => _fields = original.Read();

    private LlmRequest(ReadOnlyMemory<byte> body, in RequestFields fields)
    {
        _fields = fields;
        _body = body;
        _key = RequestKey.Compute(fields.Endpoint, body.Span, fields.Sample);
        (_fields.Model, _fields.Stream) = RequestBody.Peek(body.Span);
        _prepared = Prepared.Done;
        _unread = true;
        IsVerbatim = true;
    }

    private enum Prepared
    {
        No,
        Underway,
        Done,
    }

    /// <summary>Gets the name of the provider, a label for logs. Not sent, not part of the key.</summary>
    public string? Provider
    {
        get => _fields.Provider;
        init => _fields.Provider = value;
    }

    /// <summary>Gets the caller's id of the request, such as the <c>custom_id</c> of a batch file. Not sent, not part of the key.</summary>
    public string? CustomId
    {
        get => _fields.CustomId;
        init => _fields.CustomId = value;
    }

    /// <summary>Gets the path that the request is sent to, below the provider's base URL.</summary>
    /// <value>The default is <see cref="Endpoints.ChatCompletions"/>; <see cref="Input"/> makes it
    /// <see cref="Endpoints.Embeddings"/>.</value>
    /// <exception cref="ArgumentException">The path does not begin with <c>/</c>, or has a query, a fragment, a host, <c>..</c> or white
    /// space.</exception>
    public string Endpoint
    {
        get => _fields.Endpoint;
        init => _fields.Endpoint = EndpointPath.Check(value);
    }

    /// <summary>Gets the model.</summary>
    public string? Model
    {
        get => _fields.Model;
        init => _fields.Model = value;
    }

    /// <summary>Gets the conversation. Empty for embeddings.</summary>
    public IReadOnlyList<Message> Messages
    {
        get => Read().Messages;
        init
        {
            ArgumentNullException.ThrowIfNull(value, nameof(Messages));
            _fields.Messages = [.. value];
            foreach (Message message in _fields.Messages)
            {
                ArgumentNullException.ThrowIfNull(message, nameof(Messages));
            }
        }
    }

    /// <summary>Gets the texts to embed. Setting it sends the request to <see cref="Endpoints.Embeddings"/>.</summary>
    public EmbeddingInput? Input
    {
        get => Read().Input;
        init
        {
            _fields.Input = value;
            if (value is not null && _fields.Endpoint == Endpoints.ChatCompletions)
            {
                _fields.Endpoint = Endpoints.Embeddings;
            }
        }
    }

    /// <summary>Gets the sampling temperature, 0 to 2.</summary>
    /// <value>The default is 0.7, which is sent; <see langword="null"/> sends none. A default is not sent to a model that is known to
    /// refuse a temperature.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 2.</exception>
    public double? Temperature
    {
        get => Read().Temperature;
        init
        {
            _fields.Temperature = Ranges.Check(value, 0, 2, nameof(Temperature));
            _fields.IsTemperatureSet = true;
        }
    }

    /// <summary>Sets the temperature, unless the value is NaN. Saves a copy of the request.</summary>
    internal double? TemperatureUnlessNaN
    {
        init
        {
            if (value is not double.NaN)
            {
                Temperature = value;
            }
        }
    }

    /// <summary>Gets the maximum number of tokens in the response, reasoning included.</summary>
    /// <value>The default is <see langword="null"/>: no maximum.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int? MaxCompletionTokens
    {
        get => Read().MaxCompletionTokens;
        init
        {
            if (value is < 1)
            {
                throw new ArgumentOutOfRangeException(nameof(MaxCompletionTokens), value,
                    $"{nameof(MaxCompletionTokens)} must be at least 1.");
            }

            _fields.MaxCompletionTokens = value;
        }
    }

    /// <summary>Gets the nucleus sampling probability, 0 to 1.</summary>
    /// <value>The default is 1, as at the provider, and is not sent.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double? TopP
    {
        get => Read().TopP;
        init => _fields.TopP = Ranges.Check(value, 0, 1, nameof(TopP));
    }

    /// <summary>Gets the penalty on tokens that have already appeared, −2 to 2.</summary>
    /// <value>The default is 0, as at the provider, and is not sent.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between −2 and 2.</exception>
    public double? PresencePenalty
    {
        get => Read().PresencePenalty;
        init => _fields.PresencePenalty = Ranges.Check(value, -2, 2, nameof(PresencePenalty));
    }

    /// <summary>Gets the penalty on tokens for each time they have appeared, −2 to 2.</summary>
    /// <value>The default is 0, as at the provider, and is not sent.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between −2 and 2.</exception>
    public double? FrequencyPenalty
    {
        get => Read().FrequencyPenalty;
        init => _fields.FrequencyPenalty = Ranges.Check(value, -2, 2, nameof(FrequencyPenalty));
    }

    /// <summary>Gets the texts at which the model stops.</summary>
    public StopSequences? Stop
    {
        get => Read().Stop;
        init => _fields.Stop = value;
    }

    /// <summary>Gets a value indicating whether the response is streamed; the events are assembled to the body of a response without
    /// streaming. Not part of the key. The built-in providers also request the token usage, except for requests read from JSON, which are
    /// sent unchanged.</summary>
    public bool Stream
    {
        get => _fields.Stream;
        init => _fields.Stream = value;
    }

    /// <summary>Gets the body parameters without a property here, such as <c>tools</c> or <c>seed</c>. They are sent unchanged.</summary>
    /// <exception cref="ArgumentException">A name belongs to a property of this type; set the property.</exception>
    public IReadOnlyDictionary<string, JsonElement>? AdditionalParameters
    {
        get => Read().Additional;
        init => _fields.Additional = RequestBody.CheckAdditional(value);
    }

    /// <summary>Gets the number of the sample: 0, 1, 2 … Equal requests share one response unless their samples differ. Never
    /// sent.</summary>
    /// <value>The default is 0.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public int Sample
    {
        get => _fields.Sample;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(Sample));
            _fields.Sample = value;
        }
    }

    /// <summary>Gets the identity of the request. Equal requests have equal keys, on every platform and in every release.</summary>
    /// <exception cref="ArgumentException">A text has half of a surrogate pair.</exception>
    /// <exception cref="JsonException">A parameter is not valid JSON, or has a member twice.</exception>
    public RequestKey Key
    {
        get
        {
            if (_prepared == Prepared.Done)
            {
                return _key;
            }

            Prepare(out _, out RequestKey key);
            return key;
        }
    }

    /// <summary>Gets the bytes to send. They must not be changed.</summary>
    internal ReadOnlyMemory<byte> Body
    {
        get
        {
            if (_prepared == Prepared.Done)
            {
                return _body;
            }

            Prepare(out ReadOnlyMemory<byte> body, out _);
            return body;
        }
    }

    /// <summary>Gets a value indicating whether the body is the user's own bytes, to which nothing is added.</summary>
    internal bool IsVerbatim { get; }

    /// <summary>Gets a value indicating whether the temperature is the default, not a value that the caller set.</summary>
    internal bool TemperatureLeftAlone => !_unread && _fields is { IsTemperatureSet: false, Input: null, Temperature: not null };

    /// <summary>Creates a request with one prompt.</summary>
    /// <param name="provider">A label for logs.</param>
    /// <param name="prompt">The prompt; a string is a user message.</param>
    /// <param name="model">The model; <c>with</c> can set it later.</param>
    public static LlmRequest FromPrompt(string? provider, Message prompt, string? model = null)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return new LlmRequest { Provider = provider, Model = model, Messages = [prompt] };
    }

    /// <summary>Reads a request body as the API accepts it (a "raw dictionary"), or a whole line of a batch file. It is sent byte for
    /// byte.</summary>
    /// <param name="json">A JSON object. A string member <c>provider</c> sets the label and is not sent.</param>
    /// <exception cref="JsonException">The text is not a JSON object, has a member twice, or has half of a surrogate pair.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of its range; the message names it.</exception>
    /// <exception cref="ArgumentException">A message has an unknown role.</exception>
    public static LlmRequest FromJson(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        JsonText.EnsureEncodable(json, nameof(json));
        return FromJson(Encoding.UTF8.GetBytes(json).AsSpan());
    }

    /// <inheritdoc cref="FromJson(string)"/>
    /// <param name="utf8Json">A JSON object, as UTF-8.</param>
    public static LlmRequest FromJson(ReadOnlySpan<byte> utf8Json) => RequestBody.ReadChecked(utf8Json);

    /// <inheritdoc cref="FromJson(string)"/>
    public static LlmRequest FromJson(JsonElement json) => FromJson(JsonText.BytesOf(json).AsSpan());

    /// <summary>Creates a request from a body as a dictionary, as the API accepts it. It is sent as it is, with nothing added.</summary>
    /// <param name="body">The parameters: text, numbers, truth values, <see cref="Message"/>, <see cref="JsonElement"/>,
    /// <see cref="System.Text.Json.Nodes.JsonNode"/>, and lists and dictionaries of these. A text <c>provider</c> sets the label and is not
    /// sent.</param>
    /// <exception cref="JsonException">The body is not a JSON object, or a parameter has another type.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of its range; the message names it.</exception>
    /// <exception cref="ArgumentException">A value cannot be sent, or a message has an unknown role.</exception>
    public static LlmRequest FromDictionary(IReadOnlyDictionary<string, object?> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        return ObjectBody.ToRequest(body);
    }

    /// <summary>Creates a request from a body as an object, such as <c>new { model = "m", messages = new[] { … } }</c>. Its properties are
    /// the parameters, in the spelling of the API.</summary>
    /// <remarks>As <see cref="FromDictionary"/>, but values may also be objects with properties; a <see cref="LlmRequest"/> is returned as
    /// it is.</remarks>
    /// <param name="body">An anonymous object, an object of your own, or a dictionary.</param>
    /// <inheritdoc cref="FromDictionary"/>
    [RequiresUnreferencedCode(ObjectBody.NeedsReflection)]
    public static LlmRequest FromObject(object body)
    {
        ArgumentNullException.ThrowIfNull(body);
        return ObjectBody.ToRequest(body);
    }

    /// <inheritdoc/>
    public bool Equals(LlmRequest? other) => ReferenceEquals(this, other) || (other is not null && Key == other.Key);

    /// <inheritdoc/>
    public override int GetHashCode() => Key.GetHashCode();

    /// <summary>Prints model and key, never the content, which may be private.</summary>
    public override string ToString() => $"{Model ?? "(no model)"} {Key}";

    /// <summary>Creates a request whose body is the user's own bytes. The body is not copied and must not change.</summary>
    internal static LlmRequest FromBody(string endpoint, ReadOnlyMemory<byte> body, string? customId = null, int sample = 0,
        string? provider = null) =>
        new(body, new RequestFields { Endpoint = endpoint, CustomId = customId, Sample = sample, Provider = provider });

    /// <summary>Creates a request with the same bytes and another sample. Only for requests that came as JSON.</summary>
    internal LlmRequest Sampled(int sample) => sample == Sample ? this : FromBody(Endpoint, Body, CustomId, sample, Provider);

    /// <summary>Creates a request with one more body parameter. A body that came as JSON keeps all its other bytes.</summary>
    internal LlmRequest WithParameter(string name, JsonElement value)
    {
        if (IsVerbatim)
        {
            return FromBody(Endpoint, RequestBody.WithMember(Body, name, value), CustomId, Sample, Provider);
        }

        IEnumerable<KeyValuePair<string, JsonElement>> own = AdditionalParameters ?? new Dictionary<string, JsonElement>();
        return this with { AdditionalParameters = new Dictionary<string, JsonElement>(own) { [name] = value } };
    }

    /// <summary>Reads the fields of a request that came as JSON.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A field is out of range, and <paramref name="check"/> is set.</exception>
    internal void ReadFields(bool check)
    {
        // Racing threads read the same body and store equal values; the flag is cleared last.
        _fields = RequestFields.Read(_body, check, _fields);
        _unread = false;
    }

    /// <summary>Gets the key, or why there is none: a text that UTF-8 cannot carry, or a parameter that is not JSON.</summary>
    internal bool TryGetKey(out RequestKey key, [NotNullWhen(false)] out Exception? fault)
    {
        try
        {
            key = Key;
            fault = null;
            return true;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            key = default;
            fault = e;
            return false;
        }
    }

    /// <summary>Gets the body without the temperature, for a model that refuses one.</summary>
    internal ReadOnlyMemory<byte> BodyWithoutTemperature() => RequestBody.Write(Read() with { Temperature = null });

    private ref readonly RequestFields Read()
    {
        if (_unread)
        {
            ReadFields(check: false);
        }

        return ref _fields;
    }

    private void Prepare(out ReadOnlyMemory<byte> body, out RequestKey key)
    {
        // Embeddings have no temperature unless the caller sets one.
        RequestFields fields = _fields is { Input: not null, IsTemperatureSet: false } ? _fields with { Temperature = null } : _fields;
        body = RequestBody.Write(fields);
        key = RequestKey.Compute(fields.Endpoint, body.Span, fields.Sample);

        // Only one thread stores: body and key are wider than an atomic write.
        if (Interlocked.CompareExchange(ref _prepared, Prepared.Underway, Prepared.No) == Prepared.No)
        {
            _body = body;
            _key = key;
            _prepared = Prepared.Done;
        }
    }
}
