using System.Globalization;
using System.Text.RegularExpressions;

namespace FastLLM.Retries;

/// <summary>Tells which other requests may fail for the reason of a failure. Pure: the same failure gives the same answer.</summary>
internal static partial class FailureDomains
{
    private const int LongestMessage = 300;

    /// <summary>Returns who may share a failure.</summary>
    public static FailureDomain Of(LlmException failure) => failure.Kind switch
    {
        FailureKind.Authentication or FailureKind.QuotaExhausted or FailureKind.Certificate or FailureKind.NameNotResolved
            => FailureDomain.Account,

        // Permissions and the limits of a day differ by model.
        FailureKind.ModelNotFound or FailureKind.PermissionDenied or FailureKind.DailyLimit => FailureDomain.Model,

        FailureKind.RateLimited or FailureKind.Overloaded or FailureKind.ConnectionRefused or FailureKind.ConnectionLost
            or FailureKind.ServerError or FailureKind.TooManyOpenFiles or FailureKind.NotSent or FailureKind.Canceled
            => FailureDomain.Passing,

        FailureKind.InvalidRequest or FailureKind.NotFound or FailureKind.ResponseTooLarge or FailureKind.InvalidResponse
            or FailureKind.IncompleteResponse or FailureKind.ServerConflict or FailureKind.Timeout or FailureKind.Provider
            or FailureKind.Unknown or FailureKind.InvalidAnswer => FailureDomain.Alike,
        FailureKind.Redirect when failure.StatusCode is not null => FailureDomain.Alike,
        _ => FailureDomain.Request,
    };

    /// <summary>Returns the text by which failures are taken for the same: numbers and quotations belong to the row, the rest says what is
    /// wrong.</summary>
    public static string ShapeOf(LlmException failure)
    {
        string message = failure.Message.Length > LongestMessage ? failure.Message[..LongestMessage] : failure.Message;
        return string.Create(
            CultureInfo.InvariantCulture, $"{failure.Kind} {failure.StatusCode} {failure.Code} {RowsOwn().Replace(message, "#")}");
    }

    [GeneratedRegex("""\d+|"[^"]*"|'[^']*'|`[^`]*`""", RegexOptions.CultureInvariant)]
    private static partial Regex RowsOwn();
}
