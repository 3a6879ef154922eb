using FastLLM.Jobs.Output;

namespace FastLLM.Jobs.Planning;

internal static class ManagerExtensions
{
    public static bool IsToRefresh(this RequestManager manager, OutputEntry entry) => Applies(manager.RefreshFinishReasons, entry.FinishReasons);

    public static async ValueTask<LlmResponse?> FindCachedAsync(this RequestManager manager, LlmRequest request, CancellationToken cancellationToken)
    {
        if (manager.Cache is not { } cache || await cache.GetAsync(request.Key, manager.Scope, cancellationToken).ConfigureAwait(false) is not { } entry)
        {
            return null;
        }

        LlmResponse response = LlmResponse.FromBody(entry.Body);
        IEnumerable<string> reasons = response is ChatCompletion chat ? chat.Choices.Select(choice => choice.FinishReason).OfType<string>() : [];
        return Applies(manager.RefreshFinishReasons, reasons) ? null : response;
    }

    private static bool Applies(IReadOnlyCollection<string> rule, IEnumerable<string> reasons) =>
        rule.Count > 0 && (rule.Contains(RequestManagerOptions.AnyFinishReason) || reasons.Any(reason => rule.Contains(reason)));
}
