using System.Globalization;

namespace FastLLM.Pipeline;

/// <summary>Counts the rows of a run that have finished, and decides when too many have failed. Safe for concurrent use.</summary>
/// <param name="maxErrors">How many rows may fail, if limited.</param>
/// <param name="maxShare">Which share of the rows may fail, if limited.</param>
internal sealed class FailureLimit(long? maxErrors, double? maxShare)
{
    /// <summary>The fewest rows of which a share of failures is computed.</summary>
    public const int MinRowsForShare = 100;

    private long _finished;
    private long _failed;

    /// <summary>Creates the limit of a run; <see langword="null"/> if the options set none.</summary>
    public static FailureLimit? Create(RequestManagerOptions options) =>
        options is { MaxErrors: null, MaxErrorShare: null } ? null : new FailureLimit(options.MaxErrors, options.MaxErrorShare);

    /// <summary>Counts a row that has an outcome of its own.</summary>
    /// <param name="failed">Whether it failed.</param>
    /// <returns>Why that is too many, or <see langword="null"/>.</returns>
    public LlmException? Count(bool failed)
    {
        // A row that succeeds may be the one with which the share begins to apply.
        long finished = Interlocked.Increment(ref _finished);
        return Judge(finished, failed ? Interlocked.Increment(ref _failed) : Volatile.Read(ref _failed));
    }

    /// <summary>Counts rows of which it was found later that they have failed on their own.</summary>
    /// <returns>Why that is too many, or <see langword="null"/>.</returns>
    public LlmException? CountLate(int rows) =>
        rows == 0 ? null : Judge(Interlocked.Add(ref _finished, rows), Interlocked.Add(ref _failed, rows));

    private LlmException? Judge(long finished, long failed)
    {
        // Rows that finish at the same time may be among the failed ones already.
        finished = Math.Max(finished, failed);
        return failed > maxErrors
            ? TooMany($"{failed:N0} rows have failed, more than the {maxErrors:N0} that are allowed (MaxErrors).")
            : finished >= MinRowsForShare && failed > finished * maxShare
                ? TooMany($"{failed:N0} of {finished:N0} rows have failed, more than the {maxShare:P0} that is allowed (MaxErrorShare).")
                : null;
    }

    private static LlmException TooMany(FormattableString reason) =>
        new(FailureKind.TooManyFailures, reason.ToString(CultureInfo.InvariantCulture));
}
