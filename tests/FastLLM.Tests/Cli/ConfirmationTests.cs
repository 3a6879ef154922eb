using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class ConfirmationTests
{
    private static readonly ModelPrice s_price = new() { Input = 1, Output = 1 };

    [Theory]
    [InlineData("y", true)]
    [InlineData(" YES ", true)]
    [InlineData("", false)]
    [InlineData("n", false)]
    [InlineData(null, false)]
    public void Require_AboveTheLimit_NeedsYes(string? answer, bool agrees)
    {
        string? asked = null;
        var confirmation = new Confirmation(() => true, question =>
        {
            asked = question;
            return answer;
        });

        Exception? refusal = Record.Exception(() => confirmation.Require(Estimate(10), 12));

        Assert.Equal(agrees, refusal is null);
        Assert.True(refusal is null or UsageException);
        Assert.Contains("$15.00 ($5.00 to $30.00)", asked, StringComparison.Ordinal);
    }

    [Fact]
    public void Require_BelowTheLimit_DoesNotAsk()
    {
        new Confirmation(() => true, _ => throw new InvalidOperationException("asked")).Require(Estimate(10), 30);
    }

    [Fact]
    public void Require_UnknownCost_Asks()
    {
        Assert.Throws<UsageException>(() => new Confirmation(() => false, _ => "y").Require(Estimate(null), 1_000_000));
    }

    private static JobPlan Estimate(long? most) => new(setup: null)
    {
        Models = [new ModelEstimate { Model = "m", Requests = 1, PromptTokens = (5, 10, 20), CompletionTokens = (0, 5, most), Price = s_price }],
    };
}
