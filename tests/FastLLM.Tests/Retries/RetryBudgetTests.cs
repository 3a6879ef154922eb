using FastLLM.Retries;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Retries;

/// <summary>What all requests may spend on retries together.</summary>
public sealed class RetryBudgetTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void AHundredRetries_WaitForNothing_AndThoseBeyondForTheirTurn_OneASecond()
    {
        var budget = new RetryBudget(_time);
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(TimeSpan.Zero, budget.Take());
        }

        Assert.Equal(TimeSpan.FromSeconds(1), budget.Take());
        Assert.Equal(TimeSpan.FromSeconds(2), budget.Take());
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(TimeSpan.Zero, budget.Take());
    }

    [Fact]
    public void NoRetryWaitsLongerThanAMinuteForItsTurn()
    {
        var budget = new RetryBudget(_time);
        TimeSpan longest = Enumerable.Range(0, 10_000).Max(_ => budget.Take());

        Assert.Equal(TimeSpan.FromSeconds(60), longest);
    }

    [Fact]
    public void AnAnswerGivesBackWhatItsRetriesTook_AndAFifthOfOneWhereItTookNone()
    {
        var budget = new RetryBudget(_time);
        for (var i = 0; i < 102; i++)
        {
            budget.Take();
        }

        budget.Succeeded(retries: 2);
        Assert.Equal(TimeSpan.FromSeconds(1), budget.Take());
        for (var i = 0; i < 10; i++)
        {
            budget.Succeeded(retries: 0);
        }

        Assert.Equal(TimeSpan.Zero, budget.Take());
    }

    [Fact]
    public void AProviderThatFailsThreeOfTen_NeverMakesARetryWait()
    {
        var budget = new RetryBudget(_time);
        var random = new Random(5);
        for (var i = 0; i < 10_000; i++)
        {
            var retries = 0;
            while (retries < 2 && random.NextDouble() < 0.3)
            {
                retries++;
                Assert.Equal(TimeSpan.Zero, budget.Take());
            }

            budget.Succeeded(retries);
        }
    }
}
