using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>The options that say where to send, for every command that sends.</summary>
internal sealed class EndpointOptions
{
    private readonly Option<string?> _provider = new("--provider") { HelpName = "NAME", Description = "Who answers; `fastllm providers` lists the names." };
    private readonly Option<string?> _baseUrl = new("--base-url") { HelpName = "URL", Description = "Base URL of an OpenAI-compatible server, with its /v1." };
    private readonly Option<string?> _apiKeyEnv = new("--api-key-env") { HelpName = "NAME", Description = "Environment variable that holds the key." };
    private readonly Option<bool> _allowHttp = new("--allow-http") { Description = "Allow http:// beyond this machine and private addresses." };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_provider);
        command.Options.Add(_baseUrl);
        command.Options.Add(_apiKeyEnv);
        command.Options.Add(_allowHttp);
    }

    /// <summary>What was given.</summary>
    public EndpointChoice Read(ParseResult result) =>
        new(result.GetValue(_provider), result.GetValue(_baseUrl), result.GetValue(_apiKeyEnv), result.GetValue(_allowHttp));
}
