namespace FastLLM.Jobs.Input;

/// <summary>Collects the errors of an input, and what the batch APIs of providers would reject.</summary>
/// <remarks>The limits are those that OpenAI and Anthropic document: see <c>docs/files.md</c>.</remarks>
internal sealed class InputCheck
{
    private const int ShownErrors = 100;
    private const long MaxRows = 50_000;
    private const long MaxBytes = 200L << 20;
    private const int MaxIdLength = 64;
    private const long MaxEmbeddingInputs = 50_000;
    private const int NamedModels = 3;

    private readonly List<(long Line, string Error)> _errors = [];
    private readonly Dictionary<string, long> _alike = new(StringComparer.Ordinal);
    private readonly HashSet<string> _models = new(StringComparer.Ordinal);
    private readonly HashSet<string> _endpoints = new(StringComparer.Ordinal);
    private long _bytes;
    private long _longIds;
    private long _unsafeIds;
    private long _embeddings;
    private long _withoutModel;

    public long Rows { get; private set; }

    public long ErrorCount { get; private set; }

    public IReadOnlyList<(long Line, string Error)> Errors => _errors;

    /// <summary>Gets the number of lines with each of the first errors.</summary>
    public IReadOnlyDictionary<string, long> Alike => _alike;

    /// <summary>Gets the number of rows that name no model.</summary>
    public long WithoutModel => _withoutModel;

    /// <summary>Checks a row.</summary>
    public void See(in InputRow row)
    {
        Rows++;
        if (row.Request is not { } request)
        {
            AddError(row.Line, row.Error!);
            return;
        }

        _bytes += request.Body.Length + row.Id.Length + 80;
        _longIds += row.Id.Length > MaxIdLength ? 1 : 0;
        _unsafeIds += row.Id.AsSpan().ContainsAnyExcept(SafeIdChars) ? 1 : 0;
        _embeddings += request.Endpoint == Endpoints.Embeddings ? 1 : 0;
        _endpoints.Add(request.Endpoint);
        if (request.Model is { } model)
        {
            if (_models.Count <= NamedModels)
            {
                _models.Add(model);
            }
        }
        else
        {
            _withoutModel++;
        }
    }

    public void AddError(long line, string error)
    {
        ErrorCount++;
        if (_alike.Count < ShownErrors || _alike.ContainsKey(error))
        {
            _alike[error] = _alike.GetValueOrDefault(error) + 1;
        }

        if (_errors.Count < ShownErrors)
        {
            _errors.Add((line, error));
        }
    }

    /// <summary>Gets what the batch APIs would reject.</summary>
    public List<string> Warnings()
    {
        var warnings = new List<string>();
        string endpoints = string.Join(", ", _endpoints.Order(StringComparer.Ordinal));
        string models = string.Join(", ", _models.Order(StringComparer.Ordinal).Take(NamedModels));
        models += _models.Count > NamedModels ? " …" : "";
        Warn(_withoutModel > 0, $"{_withoutModel:N0} rows name no model: add --model.");
        Warn(Rows > MaxRows, $"{Rows:N0} rows: OpenAI's batch API accepts {MaxRows:N0} in a file.");
        Warn(_bytes > MaxBytes, $"{_bytes / (1 << 20):N0} MB: OpenAI's batch API accepts {MaxBytes / (1 << 20):N0} MB in a file.");
        Warn(_endpoints.Count > 1, $"Several endpoints ({endpoints}): OpenAI's batch API accepts one in a file.");
        Warn(_models.Count > 1, $"Several models ({models}): OpenAI's batch API accepts one in a file.");
        Warn(
            _embeddings > MaxEmbeddingInputs,
            $"{_embeddings:N0} embeddings: OpenAI's batch API accepts {MaxEmbeddingInputs:N0} in a file.");
        Warn(_longIds > 0, $"{_longIds:N0} ids are longer than {MaxIdLength} characters, which batch APIs reject.");
        Warn(_unsafeIds > 0, $"{_unsafeIds:N0} ids have characters besides letters, digits, - and _, which Anthropic's batch API rejects.");
        return warnings;

        void Warn(bool applies, FormattableString text)
        {
            if (applies)
            {
                warnings.Add(FormattableString.Invariant(text));
            }
        }
    }

    private static readonly System.Buffers.SearchValues<char> SafeIdChars =
        System.Buffers.SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_");
}
