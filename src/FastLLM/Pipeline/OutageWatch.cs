using System.Globalization;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Watches at the start of a run whether the provider is up at all: an outage passes, a wrong address does not.</summary>
/// <remarks>Not safe for concurrent use: the lock of the <see cref="SharedFailureDetector"/> guards it.</remarks>
internal sealed class OutageWatch(TimeProvider time)
{
    /// <summary>How long all sends may meet an outage until the first answer: a restart takes less.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>The same where the provider says that it is there, but busy: loading a large model takes minutes.</summary>
    public static readonly TimeSpan PatienceIfBusy = TimeSpan.FromMinutes(10);

    private long _since;
    private int _failures;

    /// <summary>Notes a failed send of a run in which nothing has been answered.</summary>
    /// <returns>The reason to stop the run, or <see langword="null"/>.</returns>
    public LlmException? Failed(LlmException failure)
    {
        if (FailureDomains.Of(failure) != FailureDomain.Passing)
        {
            _failures = 0;
            return null;
        }

        if (_failures++ == 0)
        {
            _since = time.GetTimestamp();
        }

        TimeSpan patience = failure.Kind is FailureKind.Overloaded or FailureKind.RateLimited ? PatienceIfBusy : Patience;
        TimeSpan age = time.GetElapsedTime(_since);
        return _failures < SharedFailureDetector.Enough || age < patience || failure.RetryAfter is not null ? null
            : failure.AsCause(string.Create(CultureInfo.InvariantCulture,
                $"Nothing was answered, and all {_failures} sends have failed for {(int)age.TotalSeconds} s. {failure.Message}"));
    }
}
