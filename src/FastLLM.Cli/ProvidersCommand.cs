using System.Buffers;
using System.CommandLine;
using System.Text;
using System.Text.Json;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm providers</c>, which lists the presets and whether their keys are set, but never a key.</summary>
internal static class ProvidersCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="environment">Reads an environment variable.</param>
    public static Command Create(Func<string, string?> environment)
    {
        var command = new CliCommand("providers", "List the providers that --provider accepts, with base URL and API key variable.");
        var json = CliOption.Flag("--json", "Print a JSON array.");
        command.Options.Add(json);
        command.AddExample("List the providers:", "fastllm providers");
        command.SetAction(result =>
        {
            TextWriter output = result.InvocationConfiguration.Output;
            output.WriteLine(result.GetValue(json) ? Json(environment) : Table(environment));
            return ExitCode.Ok;
        });
        return command;
    }

    private static string Table(Func<string, string?> environment)
    {
        string[][] rows =
        [
            ["NAME", "BASE URL", "KEY", ""],
            .. Presets.All.Select(preset => (string[])
                [preset.Name, Where(preset, environment), preset.KeyVariable ?? "none", State(preset, environment)]),
        ];
        int[] widths = [.. Enumerable.Range(0, 4).Select(column => rows.Max(row => row[column].Length))];
        var text = new StringBuilder();
        for (var i = 0; i < rows.Length; i++)
        {
            text.AppendLine(string.Join("  ", rows[i].Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
            if (i > 0 && Presets.All[i - 1].Note is { } note)
            {
                text.Append(' ', widths[0] + 2).AppendLine(note);
            }
        }

        return text.ToString().TrimEnd();
    }

    private static string Json(Func<string, string?> environment)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartArray();
            foreach (Preset preset in Presets.All)
            {
                json.WriteStartObject();
                json.WriteString("name", preset.Name);
                json.WriteString("title", preset.Title);
                json.WriteString("base_url", Address(preset, environment));
                json.WriteString("base_url_env", preset.BaseUrlVariable);
                json.WriteString("api_key_env", preset.KeyVariable);
                json.WriteBoolean("api_key_set", IsSet(preset, environment));
                json.WriteBoolean("needs_key", preset.NeedsKey);
                json.WriteString("api_key_header", preset.KeyVariable is null ? null : preset.KeyHeader ?? "Authorization");
                json.WriteString("note", preset.Note);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static string State(Preset preset, Func<string, string?> environment) =>
        preset.KeyVariable is null ? "" : IsSet(preset, environment) ? "set" : preset.NeedsKey ? "not set" : "not set, not needed";

    private static bool IsSet(Preset preset, Func<string, string?> environment) =>
        preset.KeyVariable is not null && !string.IsNullOrWhiteSpace(environment(preset.KeyVariable));

    private static string Where(Preset preset, Func<string, string?> environment) =>
        Address(preset, environment) ?? (preset.BaseUrlVariable is { } variable ? $"from {variable}" : "built in");

    // The variable may contain a password as user info, so only addresses that Endpoint accepts are shown.
    private static string? Address(Preset preset, Func<string, string?> environment)
    {
        if (preset.BaseUrlVariable is { } variable && environment(variable) is { } value && !string.IsNullOrWhiteSpace(value)
            && Uri.TryCreate(value.Trim(), UriKind.Absolute, out Uri? uri) && uri is { Scheme: "http" or "https", UserInfo.Length: 0 })
        {
            return TerminalText.Clean(uri.GetLeftPart(UriPartial.Path).TrimEnd('/'));
        }

        return preset.BaseUrl;
    }
}
