using System.Security.Cryptography;
using System.Text;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.Tests.Simulators;

/// <summary>Answers are a contract: tests and benchmarks compare their bytes across versions.</summary>
public sealed class AnswerBytesTests
{
    private const string Prompt =
        """{"model":"m","messages":[{"role":"system","content":"be"},{"role":"user","content":"Say \"é😀\", please: \u00e9."}]""";
    private const string Tools =
        ""","tools":[{"function":{"name":"time"}},{"function":{"name":"get_\"place\""}}],"tool_choice":"required" """;

    [Theory]
    [InlineData("", "820cee6a3f7c9f5a b99ffe2df22cc34d e2dd8843c594ffc5")]
    [InlineData(""","n":3,"max_tokens":9""", "2a531b04777c1372 b18828a8e78a2e35 84007bffaff9ab96")]
    [InlineData(""","logprobs":true,"reasoning_effort":"low" """, "a3bb68160e313e63 961f89fdf91edfa8 e7f07f685b442c5f")]
    [InlineData(Tools, "06e9fed75d5b36c5 7d3f1fdc3f6cd5af e2c13e47a36588e2")]
    [InlineData(""","model":"simulator-refusal" """, "72e8414253f00d7e 513402b226a85779 e080b502eed1eb0b")]
    public void ChatCompletion_OfAKnownBody_HasTheKnownBytes(string members, string digests) =>
        Assert.Equal(digests, Digests(
            SimulatorAnswers.ChatCompletion(Body(members)),
            SimulatorAnswers.ChatCompletion(Body(members), compact: true),
            SimulatorAnswers.ChatCompletion(Body(members + ""","stream":true,"stream_options":{"include_usage":true}"""))));

    [Fact]
    public void Embeddings_OfAKnownBody_HaveTheKnownBytes()
    {
        byte[] body = """{"model":"e","input":["one","tw\u006f"]}"""u8.ToArray();
        byte[] base64 = """{"model":"e","input":[[1,2],[3]],"encoding_format":"base64","dimensions":17}"""u8.ToArray();
        Assert.Equal(
            "099580373caffc56 cde5aaefdcf2d9e1",
            Digests(SimulatorAnswers.Embeddings(body), SimulatorAnswers.Embeddings(base64, compact: true)));
    }

    private static byte[] Body(string members) => Encoding.UTF8.GetBytes(Prompt + members + "}");

    private static string Digests(params byte[][] answers) =>
        string.Join(' ', answers.Select(answer => Convert.ToHexStringLower(SHA256.HashData(answer).AsSpan(0, 8))));
}
