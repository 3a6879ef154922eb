using System.Text.Json;

namespace FastLLM.Cluster.Chunks;

/// <summary>Represents what a worker must know of a job besides its rows. Never a key: only the name of the variable that holds it on each
/// worker.</summary>
internal sealed record JobSpec
{
    /// <summary>Gets the base URL that requests are sent to.</summary>
    public required string BaseUrl { get; init; }

    /// <summary>Gets the environment variable of the workers that holds the API key; <see langword="null"/> if no key is sent.</summary>
    public string? KeyVariable { get; init; }

    /// <summary>Gets a value indicating whether http:// is allowed outside of private networks.</summary>
    public bool AllowHttp { get; init; }

    /// <summary>Gets how a worker sends.</summary>
    public SendingSpec Sending { get; init; } = new();

    /// <summary>Gets what the answers must look like.</summary>
    public AnswerSpec? Answers { get; init; }

    /// <summary>Gets a value indicating whether rows have the member <c>fastllm</c>.</summary>
    public bool IncludeMetadata { get; init; } = true;

    /// <summary>Gets the user's price table, as it was read; <see langword="null"/> for the built-in one.</summary>
    public string? Prices { get; init; }

    /// <summary>Reads a specification.</summary>
    /// <exception cref="JsonException">The text is none.</exception>
    public static JobSpec Read(string json) => JsonSerializer.Deserialize(json, SpecJson.Default.JobSpec)!;

    /// <summary>Returns the specification as JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, SpecJson.Default.JobSpec);
}

/// <summary>Represents the options of sending, in the words of <see cref="RequestManagerOptions"/>. Times are in seconds.</summary>
internal sealed record SendingSpec
{
    public int Concurrency { get; init; } = 100;

    public bool AdaptiveConcurrency { get; init; }

    public long? RequestsPerMinute { get; init; }

    public long? TokensPerMinute { get; init; }

    public long? InputTokensPerMinute { get; init; }

    public long? OutputTokensPerMinute { get; init; }

    public long? RequestsPerDay { get; init; }

    public double Timeout { get; init; } = 30;

    public double? FirstByteTimeout { get; init; }

    public double? IdleTimeout { get; init; }

    public double? TotalTimeout { get; init; }

    public double MaxThrottleWait { get; init; } = 900;

    public bool Streams { get; init; }

    public int RetryAttempts { get; init; } = 3;

    public long? MaxErrors { get; init; }

    public double? MaxErrorShare { get; init; }

    public decimal? Budget { get; init; }

    public IReadOnlyList<string> RefreshFinishReasons { get; init; } = [];
}

/// <summary>Represents an <see cref="AnswerForm"/>: labels, or a schema.</summary>
internal sealed record AnswerSpec(IReadOnlyList<string>? Labels, string? Schema, bool IsInPrompt)
{
    /// <summary>Describes a form.</summary>
    public static AnswerSpec Of(AnswerForm form) =>
        new(form.Labels, form.Labels is null ? form.Schema : null, form.IsInPrompt);

    /// <summary>Creates the form.</summary>
    public AnswerForm ToForm()
    {
        AnswerForm form = Labels is not null ? AnswerForm.OfLabels(Labels) : AnswerForm.OfSchema(Schema!);
        return IsInPrompt ? form.InPrompt() : form;
    }
}
