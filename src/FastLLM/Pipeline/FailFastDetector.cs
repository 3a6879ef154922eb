using System.Globalization;
using System.Text.RegularExpressions;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>How a run begins: whether what is refused is a row's own fault, or everybody's.</summary>
/// <remarks>
/// Where the first <see cref="Enough"/> rows that finish are refused in the same way (status, code, and message but for its numbers and quotations) and none
/// is answered, nothing more is sent until what is in flight has come back. One answer, or another failure, and the rows were bad by themselves: the run goes
/// on. If there is none, all rows share a fault, such as a parameter that the model does not know: the run stops, and the rows are left to be asked again.
/// The first answer ends the question for good. Safe for concurrent use; costs one read a send after that.
/// </remarks>
internal sealed partial class FailFastDetector(bool isAsked)
{
    /// <summary>How many refusals in a row are too many to be a coincidence.</summary>
    public const int Enough = 10;

    private const int LongestMessage = 300;

    private readonly Lock _gate = new();
    private readonly List<LlmException> _suspects = [];
    private TaskCompletionSource? _verdict;
    private string? _refusal;
    private int _inFlight;
    private bool _isJudged;
    private volatile bool _isOpen = isAsked;

    /// <summary>Whether it is not known yet.</summary>
    public bool IsOpen => _isOpen;

    /// <summary>Asks to send.</summary>
    /// <param name="verdict">What to wait for, where it may not be sent now; then nothing is counted.</param>
    public bool MaySend(out Task verdict)
    {
        lock (_gate)
        {
            if (_isOpen && _suspects.Count >= Enough)
            {
                _verdict ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                verdict = _verdict.Task;
                return false;
            }

            _inFlight++;
            verdict = Task.CompletedTask;
            return true;
        }
    }

    /// <summary>What was sent has come back.</summary>
    /// <param name="isAnswered">Whether with an answer.</param>
    public void CameBack(bool isAnswered)
    {
        lock (_gate)
        {
            _inFlight--;
            if (isAnswered && _isOpen)
            {
                _isOpen = false;
                Acquit();
            }
        }
    }

    /// <summary>A row has failed.</summary>
    /// <param name="failure">Why. What a row brings about by its content (too long, filtered) is its own fault whatever the others do.</param>
    public void Failed(LlmException failure)
    {
        bool mayBeEverybodys = failure.Kind is FailureKind.InvalidRequest or FailureKind.NotFound or FailureKind.Redirect && failure.StatusCode is not null;
        string? refusal = mayBeEverybodys ? string.Create(CultureInfo.InvariantCulture, $"{failure.StatusCode} {failure.Code} {Shape(failure.Message)}") : null;
        lock (_gate)
        {
            if (!_isOpen)
            {
                return;
            }

            if (refusal != _refusal)
            {
                Acquit();
                _refusal = refusal;
            }

            if (refusal is not null)
            {
                failure.FailureScope = FailureScope.Suspected;
                _suspects.Add(failure);
            }
        }
    }

    /// <summary>Comes to a verdict, where there is enough to judge by.</summary>
    /// <param name="hasMore">Whether there is anything left that a verdict could spare.</param>
    /// <returns>Why the run cannot go on, or <see langword="null"/>.</returns>
    public LlmException? Judge(bool hasMore)
    {
        lock (_gate)
        {
            if (!_isOpen || _isJudged || _suspects.Count < Enough || _inFlight > 0 || !(hasMore || _verdict is not null))
            {
                return null;
            }

            _isJudged = true;
            LlmException first = _suspects[0];
            foreach (LlmException suspect in _suspects)
            {
                suspect.FailureScope = FailureScope.Everybody;
            }

            var cause = new LlmException(
                first.Kind,
                string.Create(CultureInfo.InvariantCulture, $"The first {_suspects.Count} requests were all refused in the same way, and none was answered. {first.Message}"),
                first)
            {
                StatusCode = first.StatusCode,
                Code = first.Code,
                Body = first.Body,
                FailureScope = FailureScope.Everybody,
            };
            return cause;
        }
    }

    /// <summary>Lets go of those who wait to send. To be called when the run has been stopped: before that, they would send.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isOpen = false;
            Release();
        }
    }

    // Numbers and quotations are the row's; what is left is what is wrong.
    private static string Shape(string message) =>
        RowsOwn().Replace(message.Length > LongestMessage ? message[..LongestMessage] : message, "#");

    [GeneratedRegex("""\d+|"[^"]*"|'[^']*'|`[^`]*`""", RegexOptions.CultureInvariant)]
    private static partial Regex RowsOwn();

    private void Acquit()
    {
        foreach (LlmException suspect in _suspects)
        {
            suspect.FailureScope = FailureScope.Own;
        }

        _suspects.Clear();
        Release();
    }

    private void Release()
    {
        _verdict?.SetResult();
        _verdict = null;
    }
}
