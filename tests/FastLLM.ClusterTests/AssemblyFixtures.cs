using FastLLM.TestKit.Servers;
using Xunit;

[assembly: AssemblyFixture(typeof(SharedServers))]

// Most tests wait for leases, timeouts and servers that start.
[assembly: CollectionBehavior(MaxParallelThreads = 4)]
