using FastLLM.TestKit;
using FastLLM.TestKit.Faults;

namespace FastLLM.Benchmarks.Faults;

/// <summary>Does to the engine what servers and networks do, case by case, and writes down what came of it: see docs/failures.md.</summary>
internal static class FaultsCommand
{
    public static async Task<int> RunAsync(Flags flags)
    {
        await using var bystander = FaultServer.Start(Fault.Respond(200, FaultCases.GoodAnswer));
        await using StreamWriter? csv = flags.Text("--csv") is { } path ? new StreamWriter(path) : null;
        var wrong = 0;
        var count = 0;
        await WriteAsync(FaultFigures.Header);
        foreach (FaultCase fault in FaultCases.All(bystander).Where(fault => flags.Text("--case") is not { } id || fault.Id == id))
        {
            FaultFigures figures = await FaultRun.RunAsync(fault, CancellationToken.None);
            await WriteAsync(figures.ToCsv());
            count++;
            if (figures.Faults.Count > 0)
            {
                wrong++;
                await Console.Error.WriteLineAsync($"{fault}: {string.Join("; ", figures.Faults)}");
            }
        }

        await Console.Error.WriteLineAsync($"{count - wrong} of {count} cases as the table says.");
        return wrong == 0 && count > 0 ? 0 : 1;

        async Task WriteAsync(string line) => await (csv ?? Console.Out).WriteLineAsync(line);
    }
}
