namespace FastLLM.Caching;

/// <summary>
/// Decides which answers are requested again although a cache or an output holds them. The one rule for a run, a resume and an estimate.
/// </summary>
/// <param name="reasons">Finish reasons to refresh; <see cref="RequestManagerOptions.AnyFinishReason"/> for every answer.</param>
internal sealed class RefreshRule(IReadOnlyCollection<string> reasons)
{
    private readonly bool _all = reasons.Contains(RequestManagerOptions.AnyFinishReason);
    private readonly string[] _reasons = [.. reasons.Select(OtherResponse.InWordsOfChat)];

    /// <summary>Gets a value indicating whether every stored answer is good.</summary>
    public bool IsEmpty => _reasons.Length == 0;

    /// <summary>Gets a value indicating whether every answer is requested again.</summary>
    public bool IsForAll => _all;

    /// <summary>Gets the name of the rule, which does not depend on the order of its reasons; empty for one without any.</summary>
    public string Name => _all ? RequestManagerOptions.AnyFinishReason
        : string.Join(',', _reasons.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));

    /// <summary>
    /// Returns whether an answer is requested again: every answer, or one of whose choices ended for a reason of the rule.
    /// </summary>
    public bool Applies(object? response) => _all || (!IsEmpty && response switch
    {
        ChatCompletion chat => Applies(chat.Choices.Select(choice => choice.FinishReason)),
        OtherResponse other => Applies([other.FinishReason]),
        _ => false,
    });

    /// <summary>Returns whether an answer is requested again that was recorded at <paramref name="recordedAt"/>. Answers that were recorded
    /// since the store was opened are not, unless they are dated in the future.</summary>
    public bool Applies(object? response, DateTimeOffset recordedAt, DateTimeOffset openedAt, DateTimeOffset now) =>
        (recordedAt < openedAt || recordedAt > now) && Applies(response);

    /// <summary>Returns whether an answer whose choices ended for <paramref name="finishReasons"/> is requested again.</summary>
    public bool Applies(IEnumerable<string?> finishReasons) =>
        _all || (!IsEmpty && finishReasons.Any(reason => reason is not null && _reasons.Contains(reason)));
}
