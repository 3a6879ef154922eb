namespace FastLLM;

/// <summary>Represents the account's limits at the provider, per model, as its page of limits shows them. They are used up and not
/// exceeded.</summary>
/// <remarks>
/// <para>Sends are spread evenly: half a second's worth of a limit at once, no more. Tokens are reserved before a send (the prompt,
/// estimated, and the output that the request allows, or what answers of the model mostly take where it sets no limit), and corrected when
/// the answer says what it took, and whenever the provider's headers say that less is left. Each model has limits of its own.</para>
/// <para>Read once, when the manager is built; later changes have no effect.</para>
/// </remarks>
public sealed class RateLimits
{
    private const long Most = 1_000_000_000_000;

    /// <summary>Gets or sets the requests a minute.</summary>
    /// <value>The default is <see langword="null"/>: not configured. 1,200 sends one request every 50 ms.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 or more than 10¹².</exception>
    public long? RequestsPerMinute { get; set => field = Checked(value, nameof(RequestsPerMinute)); }

    /// <summary>Gets or sets the tokens a minute, prompts and answers together.</summary>
    /// <value>The default is <see langword="null"/>: not configured.</value>
    /// <remarks>The output that a request allows (<c>max_completion_tokens</c>) counts whole, used or not, as OpenAI and Azure count it: a
    /// smaller allowance is a higher rate. A request of more than a whole minute's tokens fails with
    /// <see cref="FailureKind.RequestTooLarge"/>.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 or more than 10¹².</exception>
    public long? TokensPerMinute { get; set => field = Checked(value, nameof(TokensPerMinute)); }

    /// <summary>Gets or sets the tokens of prompts a minute. Those that the provider reads from its own prompt cache do not
    /// count.</summary>
    /// <value>The default is <see langword="null"/>: not configured.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 or more than 10¹².</exception>
    public long? InputTokensPerMinute { get; set => field = Checked(value, nameof(InputTokensPerMinute)); }

    /// <summary>Gets or sets the tokens of answers a minute, counted as they are written (Anthropic's way): what a request allows and does
    /// not use is given back.</summary>
    /// <value>The default is <see langword="null"/>: not configured.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 or more than 10¹².</exception>
    public long? OutputTokensPerMinute { get; set => field = Checked(value, nameof(OutputTokensPerMinute)); }

    /// <summary>Gets or sets the requests a day, counted from the manager's first send; the provider's headers report what was used
    /// before.</summary>
    /// <value>The default is <see langword="null"/>: not configured.</value>
    /// <remarks>Once they are used up the run waits, if that takes no longer than an hour and
    /// <see cref="RequestManagerOptions.MaxThrottleWait"/>, and else stops with <see cref="FailureKind.DailyLimit"/>.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 or more than 10¹².</exception>
    public long? RequestsPerDay { get; set => field = Checked(value, nameof(RequestsPerDay)); }

    /// <summary>Gets a value indicating whether any limit is configured.</summary>
    internal bool IsConfigured =>
        (RequestsPerMinute ?? TokensPerMinute ?? InputTokensPerMinute ?? OutputTokensPerMinute ?? RequestsPerDay) is not null;

    internal RateLimits Copy() => (RateLimits)MemberwiseClone();

    private static long? Checked(long? value, string name)
    {
        if (value is { } limit)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1, name);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, Most, name);
        }

        return value;
    }
}
