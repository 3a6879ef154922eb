using Microsoft.Extensions.Options;

namespace FastLLM.Services;

/// <summary>Represents the check of a client when a host starts. It has no options of its own.</summary>
internal sealed class StartCheck;

/// <summary>Creates a client when the host starts, so that a missing key or an invalid option ends the start and not a request.</summary>
internal sealed class StartValidation(FastLLMBuilder builder, IServiceProvider container) : IValidateOptions<StartCheck>
{
    public ValidateOptionsResult Validate(string? name, StartCheck options)
    {
        if (name != (builder.Name ?? Options.DefaultName))
        {
            return ValidateOptionsResult.Skip;
        }

        try
        {
            ClientHost host = ClientHost.Of(builder, container);
            _ = (host.CreateChatClient(), host.CreateEmbeddingGenerator());
            return ValidateOptionsResult.Success;
        }
        catch (OptionsValidationException e)
        {
            return ValidateOptionsResult.Fail(e.Failures);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return ValidateOptionsResult.Fail(builder.Name is null ? e.Message : $"Client \"{builder.Name}\": {e.Message}");
        }
    }
}
