using FastLLM.Cluster.Chunks;

namespace FastLLM.Cli;

/// <summary>Resolves the endpoint of a job of the cluster: its address and the name of its key's variable where it is submitted, the key
/// itself only on a worker.</summary>
internal static class ClusterEndpoint
{
    private const string OnTheWorkers = "the-key-is-on-the-workers";

    /// <summary>Resolves the endpoint of a job that is submitted. The key needs to be set on the workers only.</summary>
    /// <exception cref="UsageException">The options are incomplete or unsafe.</exception>
    public static Endpoint Resolve(EndpointChoice choice, Func<string, string?> environment)
    {
        bool isNamed = choice.Provider is not null || choice.BaseUrl is not null;
        Endpoint endpoint = Endpoint.Resolve(
            choice, name => environment(name) ?? (isNamed && IsNeeded(name, choice) ? OnTheWorkers : null));
        return endpoint.IsSimulator
            ? throw new UsageException(
                "--provider simulator would start one simulator on each worker. Start one for all: fastllm simulate --port 8080, and use "
                + "--base-url http://HOST:8080/v1.")
            : endpoint;
    }

    /// <summary>Creates the provider of a job on a worker, with the worker's key.</summary>
    /// <remarks>Who submits a job names the host and the variable. So a variable is sent only to the host that it belongs to, unless the
    /// worker allows it.</remarks>
    /// <param name="spec">The job.</param>
    /// <param name="allowed">The variables that the worker sends to any host.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <exception cref="UsageException">The key is not set, or must not be sent.</exception>
    public static OpenAIProvider Connect(JobSpec spec, IReadOnlyCollection<string> allowed, Func<string, string?> environment)
    {
        if (spec.KeyVariable is not { } variable)
        {
            return Endpoint.Resolve(new EndpointChoice(null, spec.BaseUrl, null, spec.AllowHttp), _ => null).CreateProvider();
        }

        bool isOwner = Uri.TryCreate(spec.BaseUrl, UriKind.Absolute, out Uri? uri) && Presets.OfHost(uri)?.KeyVariable == variable;
        return isOwner || allowed.Contains(variable)
            ? Endpoint.Resolve(new EndpointChoice(null, spec.BaseUrl, variable, spec.AllowHttp), environment).CreateProvider()
            : throw new UsageException(
                $"The job sends the key in {variable} to {uri?.Host}, which is not a known host of that key. To allow it, start the "
                + $"workers with --api-key-env {variable}.");
    }

    private static bool IsNeeded(string name, EndpointChoice choice) =>
        name == choice.ApiKeyEnv || (choice.ApiKeyEnv is null && Presets.All.Any(preset => preset.NeedsKey && preset.KeyVariable == name
            && (preset.Name == choice.Provider
                || (Uri.TryCreate(choice.BaseUrl, UriKind.Absolute, out Uri? uri) && Presets.OfHost(uri) == preset))));
}
