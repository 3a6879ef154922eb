using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using FastLLM.Pipeline;

namespace FastLLM.Benchmarks.Micro;

/// <summary>The micro-benchmarks, by BenchmarkDotNet's own arguments.</summary>
internal static class MicroCommand
{
    public static int Run(string[] args)
    {
        // In this process: the generated project of the usual way does not know where this repository puts its builds.
        IConfig config = DefaultConfig.Instance.AddJob(BenchmarkDotNet.Jobs.Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
        BenchmarkSwitcher.FromAssembly(typeof(MicroCommand).Assembly).Run([.. args.Where(arg => arg != "--")], config);
        return 0;
    }
}
