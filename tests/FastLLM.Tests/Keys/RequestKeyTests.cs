using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Xunit;

namespace FastLLM.Tests.Keys;

public sealed class RequestKeyTests
{
    private const string Chat = "/v1/chat/completions";
    private const string Hex = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";

    /// <summary>The bytes of every release so far. A vector is never changed: people's paid answers are stored under these keys.</summary>
    public static TheoryData<string, string, string, int, string> StoredVectors()
    {
        var data = new TheoryData<string, string, string, int, string>();
        foreach (string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Keys", "key-vectors.jsonl")))
        {
            using var row = JsonDocument.Parse(line);
            JsonElement root = row.RootElement;
            data.Add(
                root.GetProperty("name").GetString()!,
                root.GetProperty("endpoint").GetString()!,
                root.GetProperty("body").GetString()!,
                root.GetProperty("sample").GetInt32(),
                root.GetProperty("key").GetString()!);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(StoredVectors))]
    public void Compute_StoredVectors_HaveTheirKeys(string name, string endpoint, string body, int sample, string key)
    {
        Assert.NotEmpty(name);
        Assert.Equal(key, RequestKey.Compute(endpoint, Encoding.UTF8.GetBytes(body), sample).ToString());
    }

    [Fact]
    public void Compute_IsTheDigestOfTagEndpointCanonicalBodyAndSample()
    {
        byte[] body = "{ \"b\": 1.0, \"a\": \"x\" }"u8.ToArray();

        Assert.Equal(Sha256("fastllm-key-v1\n/v1/x\n{\"a\":\"x\",\"b\":1}"), RequestKey.Compute("/v1/x", body).ToString());
        Assert.Equal(Sha256("fastllm-key-v1\n/v1/x\n{\"a\":\"x\",\"b\":1}\n#12"), RequestKey.Compute("/v1/x", body, 12).ToString());
    }

    [Fact]
    public void FromCanonical_EqualsCompute()
    {
        RequestKey computed = RequestKey.Compute(Chat, "{\"b\":1e0,\"a\":null}"u8, 3);

        Assert.Equal(computed, RequestKey.FromCanonical(Chat, "{\"b\":1}"u8, 3));
    }

    [Fact]
    public void Compute_EndpointOrSampleDiffers_KeyDiffers()
    {
        RequestKey[] keys =
        [
            RequestKey.Compute(Chat, "{}"u8),
            RequestKey.Compute(Chat, "{}"u8, 1),
            RequestKey.Compute(Chat, "{}"u8, 2),
            RequestKey.Compute("/v1/embeddings", "{}"u8),
            RequestKey.Compute("/v1/Chat/completions", "{}"u8),
        ];

        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Theory]
    [InlineData("")]
    [InlineData("v1/chat/completions")]
    [InlineData("https://api.openai.com/v1/chat/completions")]
    [InlineData(" /v1")]
    [InlineData("/v1 /x")]
    [InlineData("/v1\n")]
    [InlineData("/v1\u0000")]
    [InlineData("/v1\u00a0")]
    [InlineData("/v1\u2028")]
    [InlineData("/v1\u007f")]
    public void Compute_EndpointIsNotAPath_Throws(string endpoint)
    {
        Assert.Equal("endpoint", Assert.Throws<ArgumentException>(() => RequestKey.Compute(endpoint, "{}"u8)).ParamName);
        Assert.Equal("endpoint", Assert.Throws<ArgumentException>(() => RequestKey.FromCanonical(endpoint, "{}"u8, 0)).ParamName);
    }

    [Fact]
    public void Compute_LoneSurrogateInEndpoint_Throws()
    {
        foreach (string endpoint in (string[])["/\ud800", "/\udc00x", "/\ude00\ud83d"])
        {
            Assert.Throws<ArgumentException>(() => RequestKey.Compute(endpoint, "{}"u8));
        }

        Assert.NotEqual(RequestKey.Compute("/😀", "{}"u8), RequestKey.Compute("/😁", "{}"u8));
    }

    [Fact]
    public void Compute_NullEndpointOrNegativeSample_Throws()
    {
        Assert.Equal("endpoint", Assert.Throws<ArgumentNullException>(() => RequestKey.Compute(null!, "{}"u8)).ParamName);
        Assert.Equal("sample", Assert.Throws<ArgumentOutOfRangeException>(() => RequestKey.Compute(Chat, "{}"u8, -1)).ParamName);
    }

    [Fact]
    public void Compute_AfterError_Works()
    {
        RequestKey before = RequestKey.Compute(Chat, "{\"a\":{\"b\":1}}"u8);
        Assert.ThrowsAny<JsonException>(() => RequestKey.Compute(Chat, "{\"z\":{\"y\":[1,2"u8));

        Assert.Equal(before, RequestKey.Compute(Chat, "{\"a\":{\"b\":1}}"u8));
    }

    [Fact]
    public void Compute_ManyThreads_ReturnTheSameKeys()
    {
        byte[][] bodies = [.. Enumerable.Range(0, 200).Select(i => Encoding.UTF8.GetBytes($"{{\"z\":{i},\"a\":{{\"y\":[{i}.50],\"b\":\"{new string('x', i)}\"}}}}"))];
        RequestKey[] expected = [.. bodies.Select(body => RequestKey.Compute(Chat, body))];
        var actual = new RequestKey[bodies.Length];

        Parallel.For(0, bodies.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => actual[i] = RequestKey.Compute(Chat, bodies[i]));

        Assert.Equal(expected, actual);
        Assert.Equal(expected.Length, expected.Distinct().Count());
    }

    [Fact]
    public void Compute_OrdinaryBody_AllocatesNothing()
    {
        byte[] body = Encoding.UTF8.GetBytes($$"""{"model":"m","messages":[{"role":"user","content":"{{new string('x', 1000)}}\nand \u00e9"}],"temperature":0.70,"stream":false}""");

        // Code that the runtime has not optimised yet allocates on its own: what counts is where it ends up.
        long allocated = long.MaxValue;
        for (int round = 0; round < 2_000 && allocated != 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1_000; i++)
            {
                RequestKey.Compute(Chat, body);
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, allocated);
    }

    [Fact]
    public void Compute_50MegabyteBody_AllocatesAboutItsSize()
    {
        byte[] body = new byte[50_000_000];
        body.AsSpan().Fill((byte)'x');
        "{\"role\":\"user\",\"content\":\""u8.CopyTo(body);
        "\"}"u8.CopyTo(body.AsSpan()[^2..]);
        int head = "{\"role\":\"user\",\"content\":\"".Length;

        long before = GC.GetAllocatedBytesForCurrentThread();
        RequestKey key = RequestKey.Compute(Chat, body);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(Sha256($"fastllm-key-v1\n{Chat}\n{{\"content\":\"{new string('x', body.Length - head - 2)}\",\"role\":\"user\"}}"), key.ToString());
        Assert.InRange(allocated, 0, 60_000_000);
    }

    [Fact]
    public void ToString_CanBeParsed()
    {
        Assert.Equal(Hex, RequestKey.Parse(Hex).ToString());
        Assert.Equal(RequestKey.Parse(Hex), RequestKey.Parse(Hex.ToUpperInvariant()));
        Assert.Equal(new string('0', 64), default(RequestKey).ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("00112233445566778899aabbccddeeff0123456789abcdeffedcba987654321")]
    [InlineData("00112233445566778899aabbccddeeff0123456789abcdeffedcba98765432100")]
    [InlineData("00112233445566778899aabbccddeeff0123456789abcdeffedcba987654321g")]
    [InlineData("00112233445566778899aabbccddeeff0123456789abcdeffedcba987654321 ")]
    [InlineData("０0112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210")]
    public void Parse_Not64HexDigits_Throws(string text)
    {
        Assert.Throws<FormatException>(() => RequestKey.Parse(text));
        Assert.False(RequestKey.TryParse(text, out RequestKey key));
        Assert.Equal(default, key);
    }

    [Fact]
    public void Parse_Null_Throws()
    {
        Assert.Throws<ArgumentNullException>(() => RequestKey.Parse(null!));
        Assert.False(RequestKey.TryParse(null, out _));
    }

    [Fact]
    public void CopyTo_FromBytes_RoundTrips()
    {
        Span<byte> bytes = stackalloc byte[RequestKey.Size];
        RequestKey.Parse(Hex).CopyTo(bytes);

        Assert.Equal(Hex, Convert.ToHexStringLower(bytes));
        Assert.Equal(RequestKey.Parse(Hex), RequestKey.FromBytes(bytes));
    }

    [Fact]
    public void Equals_AnyBitDiffers_IsFalse()
    {
        RequestKey key = RequestKey.Parse(Hex);
        byte[] bytes = new byte[RequestKey.Size];
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            key.CopyTo(bytes);
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            RequestKey other = RequestKey.FromBytes(bytes);

            Assert.True(key != other);
            Assert.False(key == other);
            Assert.False(key.Equals((object)other));
        }

        key.CopyTo(bytes);
        RequestKey same = RequestKey.FromBytes(bytes);
        Assert.True(key == same);
        Assert.True(key.Equals((object)same));
        Assert.False(key.Equals((object)Hex));
        Assert.Equal(key.GetHashCode(), same.GetHashCode());
    }

    private static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
