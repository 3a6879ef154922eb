using System.Text.Json;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>Reads an output as another program would: line by line, as JSON.</summary>
public static class OutputRows
{
    public static List<OutputRow> Read(string path)
    {
        string text = File.ReadAllText(path);
        Assert.True(text.Length == 0 || text.EndsWith('\n'));
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse)];
    }

    public static OutputRow Parse(string line)
    {
        JsonElement json = JsonDocument.Parse(line).RootElement;
        JsonElement response = json.GetProperty("response");
        string? text = null;
        int? status = null;
        if (response.ValueKind == JsonValueKind.Object)
        {
            status = response.GetProperty("status_code").GetInt32();
            JsonElement body = response.GetProperty("body");
            text = body.TryGetProperty("choices", out JsonElement choices) ? choices[0].GetProperty("message").GetProperty("content").GetString() : body.GetRawText();
        }

        return new OutputRow(json.GetProperty("custom_id").GetString()!, status, text, json.GetProperty("error").ValueKind != JsonValueKind.Null, json);
    }
}

/// <summary>One row of an output.</summary>
public sealed record OutputRow(string Id, int? Status, string? Text, bool HasError, JsonElement Json)
{
    public bool IsSuccess => !HasError && Status is >= 200 and < 300;
}
