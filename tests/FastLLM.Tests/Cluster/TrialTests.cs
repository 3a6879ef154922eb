using FastLLM.Tests.RateLimiting;
using Xunit;

namespace FastLLM.Tests.Cluster;

public sealed class TrialTests(ITestOutputHelper output)
{
    [Fact]
    public void Trial()
    {
        foreach (bool shared in (bool[])[true])
        {
            foreach (int workers in (int[])[4])
            {
                Show(shared, workers, "bucket 50", () => new BucketLaw(50, 10), 50);
                Show(shared, workers, "bucket 50,50", () => new BucketLaw(50, 50), 50);
                Show(shared, workers, "bucket 1000", () => new BucketLaw(1000, 50), 1000);
                Show(shared, workers, "in flight 20", () => new InFlightLaw(20), 196);
                Show(shared, workers, "in flight 100, sigma", () => new InFlightLaw(100), 98, 1, 0.5);
                Show(shared, workers, "random 10%", () => new RandomLaw(0.1), workers * 1000);
                Show(shared, workers, "sliding 500/10", () => new SlidingLaw(500, 10), 50);
            }
        }
    }

    private void Show(bool shared, int workers, string name, Func<VirtualLaw> law, double ideal, double latency = 0.1, double sigma = 0)
    {
        foreach (int seed in (int[])[1, 2, 3])
        {
            VirtualCluster run = new VirtualCluster(law(), workers) { IsShared = shared, Seed = seed, Latency = latency, Sigma = sigma }.Run(180);
            output.WriteLine($"{(shared ? "shared" : "alone ")} {workers} {name,-22} 0-20: {run.Goodput(0, 20) / ideal:F3} {run.Refused(0, 20):P1}  "
                + $"20-180: {run.Goodput(20, 180) / ideal:F3} {run.Refused(20, 180):P2}   {run.Law}");
            if (seed == 1 && shared && workers == 4)
            {
                foreach (string line in run.Log.Take(25))
                {
                    output.WriteLine("   " + line);
                }
            }
        }
    }
}
