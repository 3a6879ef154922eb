using System.Globalization;
using System.Text.RegularExpressions;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Detects at the start of a run that every request fails for a shared reason, such as a parameter that the model does not
/// know.</summary>
/// <remarks>
/// <para>If the first <see cref="Enough"/> rows that finish are refused alike (same status and code, same message apart from numbers and
/// quotations) and none is answered, sends are held until what is in flight has returned. If all of it fails alike too, the run stops, and
/// its rows stay pending. One answer, or a different failure, clears the suspects: each of those rows has failed by itself, and the run
/// continues.</para>
/// <para>The first answer ends the detection for good; after that it costs one read per send. Safe for concurrent use.</para>
/// </remarks>
internal sealed partial class FailFastDetector(bool isEnabled)
{
    /// <summary>How many equal refusals in a row are no coincidence.</summary>
    public const int Enough = 10;

    private const int LongestMessage = 300;

    private readonly Lock _gate = new();
    private readonly List<LlmException> _suspects = [];
    private TaskCompletionSource? _decision;
    private string? _refusal;
    private int _episode = 1;
    private int _inFlight;
    private bool _isDecided;
    private volatile bool _isOpen = isEnabled;

    /// <summary>Gets a value indicating whether failures are still watched.</summary>
    public bool IsOpen => _isOpen;

    /// <summary>Counts a send, unless sends are held.</summary>
    /// <param name="decision">What to await if the request may not be sent now; then nothing is counted.</param>
    /// <returns>Whether it may be sent.</returns>
    public bool MaySend(out Task decision)
    {
        lock (_gate)
        {
            // With nothing in flight there is nothing to wait for.
            if (_isOpen && _suspects.Count >= Enough && (_inFlight > 0 || _isDecided))
            {
                _decision ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                decision = _decision.Task;
                return false;
            }

            _inFlight++;
            decision = Task.CompletedTask;
            return true;
        }
    }

    /// <summary>Notes an answer: the run works.</summary>
    public void Answered()
    {
        lock (_gate)
        {
            if (_isOpen)
            {
                _isOpen = false;
                Clear();
            }
        }
    }

    /// <summary>Notes that the request of a counted send has ended or backs off. Not earlier: a stop in between would take its outcome
    /// away.</summary>
    /// <param name="hasMore">Whether rows are left that a stop would save.</param>
    /// <returns>The reason to stop the run, if that is certain now. Sends stay held until <see cref="Close"/>.</returns>
    public LlmException? Returned(bool hasMore)
    {
        lock (_gate)
        {
            _inFlight--;
            if (!_isOpen || _isDecided || _suspects.Count < Enough || _inFlight > 0 || !(hasMore || _decision is not null))
            {
                return null;
            }

            _isDecided = true;
            LlmException first = _suspects[0];
            return new LlmException(
                first.Kind,
                string.Create(CultureInfo.InvariantCulture,
                    $"The first {_suspects.Count} requests were all refused in the same way, and none was answered. {first.Message}"),
                first)
            {
                StatusCode = first.StatusCode,
                Code = first.Code,
                Body = first.Body,
                FailureScope = FailureScope.Run,
            };
        }
    }

    /// <summary>Notes that a row has failed.</summary>
    /// <param name="failure">The failure. One that follows from the row's content (too long, filtered) is never shared.</param>
    /// <returns>The episode in which the failure is suspected to be the whole run's, for <see cref="ScopeOf"/>; 0 if it is the request's
    /// own.</returns>
    public int Failed(LlmException failure)
    {
        bool isSharable = failure.Kind is FailureKind.InvalidRequest or FailureKind.NotFound
            or FailureKind.Redirect && failure.StatusCode is not null;
        string? refusal = isSharable
            ? string.Create(CultureInfo.InvariantCulture, $"{failure.StatusCode} {failure.Code} {Shape(failure.Message)}")
            : null;
        lock (_gate)
        {
            if (!_isOpen)
            {
                return 0;
            }

            if (refusal != _refusal)
            {
                Clear();
                _refusal = refusal;
            }

            if (refusal is null)
            {
                return 0;
            }

            _suspects.Add(failure);
            return _episode;
        }
    }

    /// <summary>Returns whether a failure of an episode affects the request or the run; <see langword="null"/> while that is
    /// undecided.</summary>
    public FailureScope? ScopeOf(int episode)
    {
        lock (_gate)
        {
            return episode != _episode ? FailureScope.Request : _isDecided ? FailureScope.Run : null;
        }
    }

    /// <summary>Releases held sends. Call it after the run has been stopped: earlier, they would be sent.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isOpen = false;
            Release();
        }
    }

    // Numbers and quotations belong to the row; the rest says what is wrong.
    private static string Shape(string message) =>
        RowsOwn().Replace(message.Length > LongestMessage ? message[..LongestMessage] : message, "#");

    [GeneratedRegex("""\d+|"[^"]*"|'[^']*'|`[^`]*`""", RegexOptions.CultureInvariant)]
    private static partial Regex RowsOwn();

    private void Clear()
    {
        _episode++;
        _suspects.Clear();
        Release();
    }

    private void Release()
    {
        _decision?.SetResult();
        _decision = null;
    }
}
