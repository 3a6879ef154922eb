using FastLLM.TestKit;
using FastLLM.TestKit.Faults;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>Every fault of the table, on raw sockets. The same cases as a file of figures: <c>bench/faults.sh --csv FILE</c>.</summary>
public sealed class FaultTests
{
    public static TheoryData<string> Names
    {
        get
        {
            var names = new TheoryData<string>();
            foreach (FaultCase fault in AllWithoutServers())
            {
                names.Add(fault.ToString());
            }

            return names;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task AFault_IsWhatTheTableSays_AndLosesNothing(string name)
    {
        await using var bystander = FaultServer.Start(Fault.Respond(200, FaultCases.GoodAnswer));
        FaultCase fault = Assert.Single(FaultCases.All(bystander), fault => fault.ToString() == name);

        FaultFigures figures = await FaultRun.RunAsync(fault, TestContext.Current.CancellationToken);

        Assert.Empty(figures.Faults);
    }

    private static IReadOnlyList<FaultCase> AllWithoutServers()
    {
        FaultServer bystander = FaultServer.Start(Fault.Respond(200, ""));
        try
        {
            return FaultCases.All(bystander);
        }
        finally
        {
            bystander.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }
}
