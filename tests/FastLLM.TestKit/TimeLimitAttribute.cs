using System.Collections.Concurrent;
using System.Reflection;
using Xunit;
using Xunit.Sdk;
using Xunit.v3;

namespace FastLLM.TestKit;

/// <summary>Limits the time of every test of an assembly, so that a hang names the test that hangs.</summary>
/// <remarks>
/// A test that exceeds the limit is cancelled through <c>TestContext.Current.CancellationToken</c>, and fails. A test that still does not end
/// ends the process. The limit is far above what the slowest test takes on a busy machine: it finds hangs, and measures nothing.
/// </remarks>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class TimeLimitAttribute : Attribute, IBeforeAfterTestAttribute
{
    /// <summary>The time after which a test is cancelled.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private static readonly ConcurrentDictionary<string, TimeLimit> s_running = new();

    /// <summary>Gets whether a running test is watched.</summary>
    public static bool Watches(ITest test) => s_running.ContainsKey(test.UniqueID);

    public void Before(MethodInfo methodUnderTest, IXunitTest test) => s_running[test.UniqueID] = new TimeLimit(
        test.TestDisplayName, Limit, TimeProvider.System, TestContext.Current.CancelCurrentTest, static message => Environment.FailFast(message));

    public void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (s_running.TryRemove(test.UniqueID, out TimeLimit? limit))
        {
            limit.Dispose();
        }
    }
}
