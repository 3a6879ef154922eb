using System.IO.Compression;
using System.Text;
using FastLLM.Requests;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Requests;

public sealed class InputStreamTests
{
    private static readonly string s_long = string.Concat(Enumerable.Range(0, 20_000).Select(i => $"line {i} {i * 7919 % 1009}\n"));

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(4_099)]
    public async Task Members_AnyReads_AreRead(int most)
    {
        byte[] packed = [.. Packed(""), .. Packed(s_long), .. Packed("b"), .. Packed(""), .. Packed(s_long), .. Packed("")];

        Assert.Equal((s_long + "b" + s_long, null), await ReadAsync(packed, most));
    }

    [Fact]
    public async Task Members_EveryLength_AreRead()
    {
        for (int length = 0; length < 300; length++)
        {
            string text = s_long[..(length * 61)];
            Assert.Equal((text + text, null), await ReadAsync([.. Packed(text), .. Packed(text)]));
        }
    }

    [Fact]
    public async Task ZerosBetweenAndBehind_AreSkipped() =>
        Assert.Equal(("ab", null), await ReadAsync([.. Packed("a"), .. new byte[512], .. Packed("b"), .. new byte[200_000]]));

    [Fact]
    public async Task Header_AllFields_IsSkipped()
    {
        byte[] plain = Packed("a");
        byte[] header = [0x1F, 0x8B, 8, 0b11111, 0, 0, 0, 0, 0, 3, 2, 0, 7, 7, .. "name\0"u8, .. "comment\0"u8, 1, 2];

        Assert.Equal(("aa", null), await ReadAsync([.. header, .. plain[10..], .. header, .. plain[10..]], most: 3));
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("\u001f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]
    [InlineData("\0\0\0x")]
    [InlineData("\u001f")]
    public async Task OtherBytesBehind_AreAnErrorAtTheirOffset(string other)
    {
        byte[] packed = Packed(s_long);
        (string text, string? error) = await ReadAsync([.. packed, .. Encoding.ASCII.GetBytes(other)]);

        Assert.Equal(s_long, text);
        int offset = packed.Length + other.Length - other.TrimStart('\0').Length;
        Assert.Equal($"Its compressed data ends at byte {offset:N0}, but something else follows. Copy or compress it again.", error);
    }

    [Fact]
    public async Task LaterMember_CutAnywhere_IsAnError()
    {
        byte[] first = Packed(s_long), second = Packed(s_long[..3_000]);
        for (int length = 2; length < second.Length; length++)
        {
            (string text, string? error) = await ReadAsync([.. first, .. second[..length]]);

            Assert.StartsWith(s_long, text, StringComparison.Ordinal);
            Assert.Equal($"Its compressed data is damaged or incomplete near byte {first.Length + length:N0}. Copy or compress it again.", error);
        }
    }

    [Fact]
    public async Task LaterMember_AnyByteChanged_LosesNothingWithoutAnError()
    {
        byte[] first = Packed(s_long), second = Packed(s_long[..3_000]);
        for (int i = 0; i < second.Length; i++)
        {
            byte[] bad = [.. first, .. second];
            bad[first.Length + i] ^= 0x11;
            (string text, string? error) = await ReadAsync(bad);

            Assert.StartsWith(s_long, text, StringComparison.Ordinal);
            Assert.True(error is not null || text == s_long + s_long[..3_000], $"byte {i}");
        }
    }

    [Fact]
    public async Task FirstMember_BadChecksum_IsAnError()
    {
        byte[] packed = Packed(s_long);
        packed[^6] ^= 1;

        Assert.NotNull((await ReadAsync(packed)).Error);
    }

    // A pipe delivers what its writer wrote at once, which may be less than tells what the input is.
    [Theory]
    [InlineData("\u00EF\u00BB|\u00BF|{", "{\"a\":1}\n")]
    [InlineData("\u00EF\u00BB\u00BF|te|xt;b\n", "x, y;1\n")]
    [InlineData("\u00FF|\u00FE|t\0;\0|b\0\n\0", "x\0")]
    [InlineData(" |\r\n|\n|[", "{}]")]
    [InlineData("\n|a|,b\n", "1,2\n")]
    [InlineData("{", "}\n")]
    [InlineData("te|xt", "")]
    [InlineData("\n|\n", "")]
    public async Task Begin_OfAPipe_IsWhatTellsTheKind(string begin, string rest)
    {
        byte[][] pieces = [.. begin.Split('|').Append(rest).Select(Encoding.Latin1.GetBytes)];
        byte[] expected = Encoding.Latin1.GetBytes(begin.Replace("|", "", StringComparison.Ordinal));

        (_, ReadOnlyMemory<byte> found) = await InputStream.OpenAsync(new PiecesStream(pieces), TestContext.Current.CancellationToken);

        Assert.Equal(expected, found.ToArray());
    }

    [Fact]
    public async Task PackedPipe_FirstRow_IsNotDelayedByTheNext()
    {
        using var packed = new MemoryStream();
        using var gzip = new GZipStream(packed, CompressionLevel.Fastest);
        await gzip.WriteAsync("{\"a\":1}\n"u8.ToArray(), TestContext.Current.CancellationToken);
        await gzip.FlushAsync(TestContext.Current.CancellationToken);
        await using var pipe = new HandFedStream();
        Task<(Stream, ReadOnlyMemory<byte>)> opened = InputStream.OpenAsync(pipe, TestContext.Current.CancellationToken).AsTask();
        _ = pipe.FeedAsync(packed.ToArray(), TestContext.Current.CancellationToken);

        (_, ReadOnlyMemory<byte> begin) = await opened;

        Assert.Equal("{\"a\":1}\n", Encoding.ASCII.GetString(begin.Span));
    }

    [Fact]
    public async Task Plain_IsReadAsItIs()
    {
        Assert.Equal(("", null), await ReadAsync([]));
        Assert.Equal((s_long, null), await ReadAsync(Encoding.ASCII.GetBytes(s_long), most: 1_000));
    }

    private static byte[] Packed(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(Encoding.ASCII.GetBytes(text));
        }

        // .NET writes nothing at all for an empty text.
        return text.Length > 0 ? packed.ToArray() : [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    }

    private static async Task<(string Text, string? Error)> ReadAsync(byte[] bytes, int most = int.MaxValue)
    {
        var text = new MemoryStream();
        byte[] buffer = new byte[5_000];
        try
        {
            (Stream stream, _) = await InputStream.OpenAsync(new PiecesStream(bytes.Chunk(most)), TestContext.Current.CancellationToken);
            await using (stream)
            {
                while (await stream.ReadAsync(buffer, TestContext.Current.CancellationToken) is > 0 and var read)
                {
                    text.Write(buffer, 0, read);
                }
            }
        }
        catch (InvalidDataException e)
        {
            return (Encoding.ASCII.GetString(text.ToArray()), e.Message);
        }

        return (Encoding.ASCII.GetString(text.ToArray()), null);
    }
}
