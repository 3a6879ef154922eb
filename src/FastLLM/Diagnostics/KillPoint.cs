using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace FastLLM.Diagnostics;

/// <summary>Places where the process can be made to die as by <c>kill -9</c>, so that tests can prove what survives it.</summary>
/// <remarks>Off unless <see cref="Variable"/> is set when the process starts, to a name or to <c>name:n</c> for the n-th time that the
/// place is reached. What is off costs nothing: the fields are read-only, so the JIT takes the checks out. The names are listed in
/// <c>docs/durability.md</c>.</remarks>
internal static class KillPoint
{
    /// <summary>The environment variable that arms a place.</summary>
    public const string Variable = "FASTLLM_KILL_POINT";

    /// <summary>A request's headers have left, its body has not.</summary>
    public const string AfterHeadersSent = "after-headers-sent";

    /// <summary>Half of a request's body has left.</summary>
    public const string MidRequestBody = "mid-request-body";

    /// <summary>The headers of an answer are there.</summary>
    public const string AfterResponseHeaders = "after-response-headers";

    /// <summary>Half of an answer's body is there.</summary>
    public const string MidResponseBody = "mid-response-body";

    /// <summary>An answer is there whole, and has not been given to the cache.</summary>
    public const string AfterBodyBeforeCommit = "after-body-before-commit";

    /// <summary>Half of the answers of a commit are written to the cache's database, the commit is not.</summary>
    public const string MidCommitBatch = "mid-commit-batch";

    /// <summary>An answer is durable in the cache, and has no record in the output.</summary>
    public const string AfterCommitBeforeOutput = "after-commit-before-output";

    /// <summary>Half of a record is written to the output.</summary>
    public const string MidOutputLine = "mid-output-line";

    /// <summary>Half of the sorted output is written beside the log.</summary>
    public const string DuringCompaction = "during-compaction";

    /// <summary>The sorted output is flushed, and not yet in the place of the log.</summary>
    public const string BeforeRename = "before-rename";

    /// <summary>The sorted output is in its place, and the folder not flushed.</summary>
    public const string AfterRename = "after-rename";

    /// <summary>The cache's log is being brought over into its database.</summary>
    public const string DuringCheckpoint = "during-checkpoint";

    /// <summary>The tables of a new cache are made, and not yet committed.</summary>
    public const string DuringSchemaCreation = "during-schema-creation";

    private static readonly string? s_armed = Armed(out s_times);
    private static readonly long s_times;
    private static long s_reached;

    /// <summary>Gets every name.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        DuringSchemaCreation, AfterHeadersSent, MidRequestBody, AfterResponseHeaders, MidResponseBody, AfterBodyBeforeCommit,
        MidCommitBatch,
        AfterCommitBeforeOutput, MidOutputLine, DuringCompaction, BeforeRename, AfterRename, DuringCheckpoint,
    ];

    /// <summary>Says whether a place is armed, for code that must go a roundabout way to come to it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsArmed(string name) => s_armed is not null && s_armed == name;

    /// <summary>Ends the process here, if this is the place and the time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Reached(string name)
    {
        if (IsArmed(name))
        {
            Count();
        }
    }

    /// <summary>Ends the process a moment later, while the thread continues: for a single call that cannot be stopped half-way.</summary>
    public static void IsBeginning(string name)
    {
        if (IsArmed(name) && Interlocked.Increment(ref s_reached) == s_times)
        {
            new Thread(Die).Start();
        }
    }

    private static void Count()
    {
        if (Interlocked.Increment(ref s_reached) == s_times)
        {
            Die();
            Thread.CurrentThread.Join(); // the thread waits while the process dies
        }
    }

    // SIGKILL on POSIX: no handler, no finalizer, no flush.
    private static void Die()
    {
        using Process self = Process.GetCurrentProcess();
        self.Kill();
    }

    private static string? Armed(out long times)
    {
        string[] parts = (Environment.GetEnvironmentVariable(Variable) ?? "").Split(':');
        times = 1;
        bool isGood = parts[0].Length > 0
            && (parts.Length == 1 || (parts.Length == 2 && long.TryParse(parts[1], CultureInfo.InvariantCulture, out times)));
        return isGood ? parts[0] : null;
    }
}
