using System.Text;
using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>What a request says about its tokens: text counts in full, whatever it looks like; pictures, sound and files do not.</summary>
public sealed class TokenDemandTests
{
    private const int Most = 4_000; // what data counts at most

    private static readonly string s_data = Convert.ToBase64String(new byte[30_000]);

    public static TheoryData<string, string> Texts => new()
    {
        { "content", """{"messages":[{"role":"user","content":"TEXT"}]}""" },
        { "text of a part", """{"messages":[{"role":"user","content":[{"type":"text","text":"TEXT"}]}]}""" },
        { "part without a type", """{"messages":[{"content":["TEXT"]}]}""" },
        { "input", """{"input":"TEXT"}""" },
        { "inputs", """{"input":["TEXT","a"]}""" },
        { "prompt", """{"prompt":"TEXT"}""" },
        { "instructions", """{"instructions":"TEXT"}""" },
        { "arguments of a call", """{"messages":[{"tool_calls":[{"function":{"arguments":"TEXT"}}]}]}""" },
        { "output of a call", """{"input":[{"type":"function_call_output","output":"TEXT"}]}""" },
        { "after data", """{"messages":[{"content":[{"image_url":{"url":"data:,"}},{"text":"TEXT"}]}]}""" },
    };

    [Theory]
    [MemberData(nameof(Texts), DisableDiscoveryEnumeration = true)]
    public void Of_Text_CountsInFull(string name, string body)
    {
        string[] texts = [s_data, "data:image/png;base64," + s_data, new string('a', 40_000), new string('漢', 13_000)];
        foreach (string text in texts)
        {
            Assert.True(Of(body.Replace("TEXT", text, StringComparison.Ordinal)).Bytes >= Encoding.UTF8.GetByteCount(text), $"{name}: {text[..30]}");
        }
    }

    [Theory]
    [InlineData("""{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,DATA"}}]}]}""")]
    [InlineData("""{"messages":[{"content":[{"type":"input_audio","input_audio":{"data":"DATA","format":"wav"}}]}]}""")]
    [InlineData("""{"messages":[{"content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,DATA"}}]}]}""")]
    [InlineData("""{"messages":[{"content":[{"type":"image","source":{"type":"base64","data":"DATA"}}]}]}""")]
    [InlineData("""{"input":[{"type":"input_image","image_url":"data:image/png;base64,DATA"}]}""")]
    [InlineData("""{"messages":[{"content":"","images":["DATA"]}]}""")]
    public void Of_PictureSoundOrFile_CountsLittle(string body) =>
        Assert.InRange(Of(body.Replace("DATA", s_data, StringComparison.Ordinal)).Bytes, Most, Most + 100);

    [Theory]
    [InlineData("The cat sat on the mat, and the dog did not mind at all, since it was asleep. ", 0, 0.1)]
    [InlineData("4f1c09a8", 0.6, 1)]
    [InlineData("GATTACA", 0.99, 1)] // letters that are no words
    [InlineData("漢字", 0.99, 1)]
    public void Of_Text_TellsWordsFromDenseText(string text, double least, double most)
    {
        TokenDemand demand = Of($$"""{"input":"{{string.Concat(Enumerable.Repeat(text, 100))}}"}""");

        Assert.InRange((double)demand.Dense / demand.Bytes, least, most);
    }

    [Theory]
    [InlineData("""{"prompt":"a","max_tokens":10,"n":2}""", 20L)]
    [InlineData("""{"prompt":["a","b","c"],"max_tokens":10,"n":2}""", 60L)]
    [InlineData("""{"max_tokens":10,"best_of":4,"n":2,"prompt":[[1,2],[3]]}""", 80L)]
    [InlineData("""{"prompt":[1,2,3],"max_tokens":10}""", 10L)]
    [InlineData("""{"prompt":[],"max_tokens":10}""", 10L)]
    [InlineData("""{"prompt":["a","b"],"n":9223372036854775807,"max_tokens":9223372036854775807}""", long.MaxValue - 1)]
    [InlineData("""{"prompt":["a","b"]}""", null)]
    public void Of_SeveralPrompts_AllowsTheOutputOfEach(string body, long? most) => Assert.Equal(most, Of(body).MaxOutput);

    [Theory]
    [InlineData("10", 10L)]
    [InlineData("10.0", 10L)]
    [InlineData("\"10\"", 10L)]
    [InlineData("0", null)]
    [InlineData("-1", null)]
    [InlineData("null", null)]
    [InlineData("[1]", null)]
    public void Of_OutputLimit_IsReadAsServersDo(string limit, long? most) => Assert.Equal(most, Of($$"""{"max_tokens":{{limit}}}""").MaxOutput);

    private static TokenDemand Of(string body) => TokenDemand.Of(LlmRequest.FromBody(Endpoints.Responses, Encoding.UTF8.GetBytes(body)));
}
