using FastLLM.Services;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace FastLLM;

/// <summary>Adds health checks of FastLLM.</summary>
public static class FastLLMHealthCheckExtensions
{
    /// <summary>Adds the health check of a client.</summary>
    /// <remarks>It sends nothing and costs nothing: it reports what the requests of the application have met. The client is unhealthy while
    /// its provider is down for a model, and degraded while the provider asks to wait, or if all requests since the last check failed (ten
    /// or more). Use it for readiness, not for liveness: a restart does not help against a provider that is down.</remarks>
    /// <param name="builder">The health checks.</param>
    /// <param name="client">The name of the client; <see langword="null"/> for the client without a name.</param>
    /// <param name="name">The name of the check; <see langword="null"/> for <c>fastllm</c>, with the name of the client behind it.</param>
    /// <param name="failureStatus">The status while the provider is down; <see langword="null"/> for
    /// <see cref="HealthStatus.Unhealthy"/>.</param>
    /// <param name="tags">The tags of the check.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static IHealthChecksBuilder AddFastLLM(
        this IHealthChecksBuilder builder, string? client = null, string? name = null, HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name ?? (client is null ? "fastllm" : $"fastllm-{client}"),
            container => new ClientHealthCheck(ClientHost.Of(client, container).Health), failureStatus, tags));
    }
}
