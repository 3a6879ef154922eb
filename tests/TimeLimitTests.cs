using System.Reflection;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.TimeLimits;

/// <summary>Compiled into every test project: all of its tests have a time limit.</summary>
public sealed class TimeLimitTests
{
    [Fact]
    public void EveryTest_HasATimeLimit()
    {
        Assert.NotNull(Assembly.GetExecutingAssembly().GetCustomAttribute<TimeLimitAttribute>());
        Assert.True(TimeLimitAttribute.Watches(TestContext.Current.Test!));
    }
}
