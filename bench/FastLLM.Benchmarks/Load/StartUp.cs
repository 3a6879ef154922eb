using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Load;

/// <summary>S12. Question: how long does a script wait for <c>fastllm --version</c>?</summary>
internal static class StartUp
{
    private const int Warmup = 3;
    private const int Starts = 20;

    public static async Task<Figure> MeasureAsync(Flags flags)
    {
        using var folder = new TemporaryFolder();
        bool isBuilt = flags.Has("--tiny"); // publishing takes longer than all tiny tests together
        string program = isBuilt ? Tool.Built : await Tool.PublishAsync(folder.PathOf("published"));
        var times = new List<double>();
        for (int i = 0; i < Warmup + Starts; i++)
        {
            ProcessRun run = await ProcessRun.MeasureAsync(() => Tool.Start(program, "--version"));
            if (string.IsNullOrWhiteSpace(run.Output))
            {
                throw new InvalidOperationException("The tool printed no version.");
            }

            times.Add(run.Elapsed.TotalMilliseconds);
        }

        return new Figure("S12", $"`fastllm --version`, {(isBuilt ? "as built, not published" : "published build")}, wall", "≤ 120 ms", "≤ 60 ms", $"{Spread.Of(times.Skip(Warmup)).Print("F0")} ms");
    }
}
