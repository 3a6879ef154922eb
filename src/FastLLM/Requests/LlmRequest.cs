using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>One request: what is asked of which model.</summary>
/// <remarks>
/// <para>Immutable, and safe to share between threads; <c>with</c> makes a changed copy. Two requests are equal when they have the
/// same <see cref="Key"/>, whatever their <see cref="Provider"/> label and <see cref="CustomId"/>.</para>
/// <para>What is sent is what was set, and <see cref="Temperature"/> 0.7 where it was left alone. A request read from JSON
/// (<see cref="FromJson(string)"/>, a file row) is sent byte for byte, with nothing added.</para>
/// </remarks>
public sealed record LlmRequest
{
    private const double DefaultTemperature = 0.7;

    private string _endpoint = Endpoints.ChatCompletions;
    private string? _model;
    private Message[] _messages = [];
    private EmbeddingInput? _input;
    private double? _temperature = DefaultTemperature;
    private bool _temperatureChosen;
    private int? _maxCompletionTokens;
    private double? _topP = 1.0;
    private double? _presencePenalty = 0.0;
    private double? _frequencyPenalty = 0.0;
    private StopSequences? _stop;
    private bool _stream;
    private IReadOnlyDictionary<string, JsonElement>? _additional;
    private int _sample;

    // Derived from the fields above, once, when first asked for. A copy starts without them.
    private ReadOnlyMemory<byte> _body;
    private RequestKey _key;
    private volatile Prepared _prepared;

    // Set for a request that came as JSON: the fields above, but for model and stream, are read from the body when first asked for.
    private volatile bool _unread;

    /// <summary>Creates an empty request, to be filled by an object initialiser.</summary>
    public LlmRequest()
    {
    }

    // What is derived does not survive a copy: the copy is about to be changed.
    private LlmRequest(LlmRequest original)
    {
        original.EnsureRead();
        Provider = original.Provider;
        CustomId = original.CustomId;
        _endpoint = original._endpoint;
        _model = original._model;
        _messages = original._messages;
        _input = original._input;
        _temperature = original._temperature;
        _temperatureChosen = original._temperatureChosen;
        _maxCompletionTokens = original._maxCompletionTokens;
        _topP = original._topP;
        _presencePenalty = original._presencePenalty;
        _frequencyPenalty = original._frequencyPenalty;
        _stop = original._stop;
        _stream = original._stream;
        _additional = original._additional;
        _sample = original._sample;
    }

    private LlmRequest(string endpoint, ReadOnlyMemory<byte> body, RequestKey key, string? customId, int sample)
    {
        _endpoint = endpoint;
        _body = body;
        _key = key;
        _sample = sample;
        CustomId = customId;
        (_model, _stream) = RequestBody.Peek(body.Span);
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

    /// <summary>Gets a label for logs: which provider this request is meant for. It is not sent and not part of the key.</summary>
    public string? Provider { get; init; }

    /// <summary>Gets the caller's own id for the request, such as the <c>custom_id</c> of a batch file. Not sent, not part of the key.</summary>
    public string? CustomId { get; init; }

    /// <summary>Gets the path that the request is sent to, below the provider's base URL.</summary>
    /// <value>The default is <see cref="Endpoints.ChatCompletions"/>; <see cref="Input"/> makes it <see cref="Endpoints.Embeddings"/>.</value>
    /// <exception cref="ArgumentException">The path does not begin with <c>/</c>, or holds a query, a fragment, a host, <c>..</c> or white space.</exception>
    public string Endpoint
    {
        get => _endpoint;
        init => _endpoint = EndpointPath.Check(value);
    }

    /// <summary>Gets the model that is asked.</summary>
    public string? Model
    {
        get => _model;
        init => _model = value;
    }

    /// <summary>Gets the conversation. Empty for embeddings.</summary>
    public IReadOnlyList<Message> Messages
    {
        get => Read()._messages;
        init
        {
            ArgumentNullException.ThrowIfNull(value, nameof(Messages));
            _messages = [.. value];
            foreach (Message message in _messages)
            {
                ArgumentNullException.ThrowIfNull(message, nameof(Messages));
            }
        }
    }

    /// <summary>Gets what is to be embedded. Setting it sends the request to <see cref="Endpoints.Embeddings"/>.</summary>
    public EmbeddingInput? Input
    {
        get => Read()._input;
        init
        {
            _input = value;
            if (value is not null && _endpoint == Endpoints.ChatCompletions)
            {
                _endpoint = Endpoints.Embeddings;
            }
        }
    }

    /// <summary>Gets the sampling temperature, 0 to 2.</summary>
    /// <value>The default is 0.7, which is sent; <see langword="null"/> sends none. A model that is known to refuse a temperature is not sent one that was left alone.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 2.</exception>
    public double? Temperature
    {
        get => Read()._temperature;
        init
        {
            _temperature = Ranges.Check(value, 0, 2, nameof(Temperature));
            _temperatureChosen = true;
        }
    }

    /// <summary>Sets the temperature, or leaves it alone where the value is not a number: without a copy of the request for either case.</summary>
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

    /// <summary>Gets the most tokens that the answer may have, reasoning included.</summary>
    /// <value>The default is <see langword="null"/>: as many as the model likes.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int? MaxCompletionTokens
    {
        get => Read()._maxCompletionTokens;
        init
        {
            if (value is < 1)
            {
                throw new ArgumentOutOfRangeException(nameof(MaxCompletionTokens), value, $"{nameof(MaxCompletionTokens)} must be at least 1.");
            }

            _maxCompletionTokens = value;
        }
    }

    /// <summary>Gets the nucleus sampling share, 0 to 1.</summary>
    /// <value>The default is 1, the provider's own, which is not sent.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double? TopP
    {
        get => Read()._topP;
        init => _topP = Ranges.Check(value, 0, 1, nameof(TopP));
    }

    /// <summary>Gets the penalty on tokens that have appeared, −2 to 2.</summary>
    /// <value>The default is 0, the provider's own, which is not sent.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between −2 and 2.</exception>
    public double? PresencePenalty
    {
        get => Read()._presencePenalty;
        init => _presencePenalty = Ranges.Check(value, -2, 2, nameof(PresencePenalty));
    }

    /// <summary>Gets the penalty on tokens by how often they have appeared, −2 to 2.</summary>
    /// <value>The default is 0, the provider's own, which is not sent.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between −2 and 2.</exception>
    public double? FrequencyPenalty
    {
        get => Read()._frequencyPenalty;
        init => _frequencyPenalty = Ranges.Check(value, -2, 2, nameof(FrequencyPenalty));
    }

    /// <summary>Gets the texts at which the answer stops.</summary>
    public StopSequences? Stop
    {
        get => Read()._stop;
        init => _stop = value;
    }

    /// <summary>
    /// Gets a value indicating whether the answer is to be streamed; it is put together to the body that would have come without. Not part of
    /// the key. The built-in providers ask for the count of tokens with it, but in requests read from JSON, which are sent as they are.
    /// </summary>
    public bool Stream
    {
        get => _stream;
        init => _stream = value;
    }

    /// <summary>Gets body parameters that have no property here, such as <c>tools</c>, <c>seed</c> or a provider's own. They are sent as they are.</summary>
    /// <exception cref="ArgumentException">A name belongs to a property of this type; set that one.</exception>
    public IReadOnlyDictionary<string, JsonElement>? AdditionalParameters
    {
        get => Read()._additional;
        init => _additional = RequestBody.CheckAdditional(value);
    }

    /// <summary>Gets which answer to the same question this is: 0, 1, 2 … Equal requests share one answer unless their samples differ. Never sent.</summary>
    /// <value>The default is 0.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public int Sample
    {
        get => _sample;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(Sample));
            _sample = value;
        }
    }

    /// <summary>Gets the request's identity. Equal requests have equal keys, on every platform and in every release.</summary>
    /// <exception cref="ArgumentException">A text holds half of a surrogate pair.</exception>
    /// <exception cref="JsonException">A parameter is no valid JSON, or names a member twice.</exception>
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

    /// <summary>Gets the bytes that are sent. They must not be changed.</summary>
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

    /// <summary>Gets a value indicating whether the body is the bytes that the user wrote, which nothing is added to.</summary>
    internal bool IsVerbatim { get; }

    /// <summary>Gets a value indicating whether the temperature is the documented default that nobody chose.</summary>
    internal bool TemperatureLeftAlone => !_unread && !_temperatureChosen && _input is null && _temperature is not null;

    /// <summary>A request of one prompt.</summary>
    /// <param name="provider">A label for logs.</param>
    /// <param name="prompt">The prompt; a string is a user message.</param>
    /// <param name="model">The model; may also be set by <c>with</c>.</param>
    public static LlmRequest FromPrompt(string? provider, Message prompt, string? model = null)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return new LlmRequest { Provider = provider, Model = model, Messages = [prompt] };
    }

    /// <summary>Reads a request body as the API takes it (a "raw dictionary"), or a whole line of a batch file. It is sent byte for byte.</summary>
    /// <param name="json">A JSON object. A member <c>provider</c> that is a text is taken for the label and not sent.</param>
    /// <exception cref="JsonException">The text is not a JSON object, names a member twice, or holds half of a surrogate pair.</exception>
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

    /// <inheritdoc/>
    public bool Equals(LlmRequest? other) => ReferenceEquals(this, other) || (other is not null && Key == other.Key);

    /// <inheritdoc/>
    public override int GetHashCode() => Key.GetHashCode();

    /// <summary>Prints model and key, never the content, which may be private.</summary>
    public override string ToString() => $"{Model ?? "(no model)"} {Key}";

    /// <summary>A request whose body stays the bytes that the user wrote. The body is not copied and must not change.</summary>
    internal static LlmRequest FromBody(string endpoint, ReadOnlyMemory<byte> body, string? customId = null, int sample = 0, string? provider = null) =>
        new(endpoint, body, RequestKey.Compute(endpoint, body.Span, sample), customId, sample) { Provider = provider };

    /// <summary>The same bytes as another sample; for requests that came as JSON.</summary>
    internal LlmRequest Sampled(int sample) => sample == _sample ? this : FromBody(_endpoint, Body, CustomId, sample, Provider);

    /// <summary>Reads the fields of a request that came as JSON, and says whether they are in range.</summary>
    internal void ReadFields(bool check) => Fill(RequestFields.Read(_body, check));

    /// <summary>The key, or why the request has none: a text that UTF-8 cannot carry, a parameter that is no JSON.</summary>
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

    /// <summary>The fields as they are, for the body's writer.</summary>
    internal RequestFields Fields(bool withoutTemperature = false) => new(
        _model, Read()._messages, _input, withoutTemperature || _input is not null && !_temperatureChosen ? null : _temperature, _maxCompletionTokens,
        _topP, _presencePenalty, _frequencyPenalty, _stop, _stream, _additional);

    private LlmRequest Read()
    {
        EnsureRead();
        return this;
    }

    private void EnsureRead()
    {
        if (_unread)
        {
            ReadFields(check: false);
        }
    }

    // Racing threads read the same body and store equal values; the flag is cleared last.
    private void Fill(RequestFields fields)
    {
        _messages = fields.Messages;
        _input = fields.Input;
        _temperature = fields.Temperature;
        _temperatureChosen = true;
        _maxCompletionTokens = fields.MaxCompletionTokens;
        _topP = fields.TopP;
        _presencePenalty = fields.PresencePenalty;
        _frequencyPenalty = fields.FrequencyPenalty;
        _stop = fields.Stop;
        _additional = fields.Additional;
        _unread = false;
    }

    private void Prepare(out ReadOnlyMemory<byte> body, out RequestKey key)
    {
        body = RequestBody.Write(Fields());
        key = RequestKey.Compute(_endpoint, body.Span, _sample);

        // Only one thread stores: body and key are wider than what can be written at once.
        if (Interlocked.CompareExchange(ref _prepared, Prepared.Underway, Prepared.No) == Prepared.No)
        {
            _body = body;
            _key = key;
            _prepared = Prepared.Done;
        }
    }
}
