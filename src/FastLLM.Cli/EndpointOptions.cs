using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Reads the options that select the provider, for every command that sends requests.</summary>
internal sealed class EndpointOptions
{
    private readonly Option<string?> _provider = CliOption.Text(
        "--provider", "NAME", "Provider to send to. `fastllm providers` lists the names. Default: openai.");

    private readonly Option<string?> _baseUrl = CliOption.Text(
        "--base-url", "URL", "Base URL of an OpenAI-compatible server, such as http://localhost:8000/v1.");

    private readonly Option<string?> _apiKeyEnv = CliOption.Text(
        "--api-key-env", "NAME", "Environment variable that holds the API key. Default: the variable of the provider.");

    private readonly Option<bool> _allowHttp = CliOption.Flag("--allow-http", "Allow http:// outside this machine and private networks.");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command) => command.Add("Endpoint", _provider, _baseUrl, _apiKeyEnv, _allowHttp);

    /// <summary>Reads the options.</summary>
    public EndpointChoice Read(ParseResult result) =>
        new(result.GetValue(_provider), result.GetValue(_baseUrl), result.GetValue(_apiKeyEnv), result.GetValue(_allowHttp));
}
