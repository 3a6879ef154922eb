using FastLLM.TestKit.Servers;
using Xunit;

[assembly: AssemblyFixture(typeof(SharedServers))]
