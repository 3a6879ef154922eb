using System.Text;
using FastLLM.Json;
using Xunit;

namespace FastLLM.Tests.Json;

public sealed class LineReaderTests
{
    public static TheoryData<string, string[]> Files => new()
    {
        { "", [] },
        { "\n", [""] },
        { "a", ["a"] },
        { "a\nb\n", ["a", "b"] },
        { "a\r\nb\r\n\r\nc", ["a", "b", "", "c"] },
        { "\uFEFFa\n\uFEFFb", ["a", "\uFEFFb"] },
        { "\uFEFF", [""] },
        { "a\rb\u2028c\u0085d\vé😀\nx\r", ["a\rb\u2028c\u0085d\vé😀", "x"] },
        { "\n\n x \n", ["", "", " x "] },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public async Task ReadAsync_AnyReadSizes_ReturnsTheSameLines(string file, string[] lines)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(file);
        Assert.Equal(lines, await ReadAsync(bytes, [1]));
        for (int split = 1; split < bytes.Length; split++)
        {
            Assert.Equal(lines, await ReadAsync(bytes, [split, int.MaxValue]));
        }

        Assert.Equal(lines, await ReadAsync(bytes, [int.MaxValue]));
    }

    [Theory]
    [InlineData(true, "\n")]
    [InlineData(true, "\r\n")]
    [InlineData(true, "")]
    [InlineData(false, "\n")]
    [InlineData(false, "\r\n")]
    [InlineData(false, "")]
    public async Task ReadAsync_LongLine_IsKept(bool seekable, string end)
    {
        string large = "\uFEFF" + new string('x', 5_000_001);
        byte[] bytes = Encoding.UTF8.GetBytes($"{large}\nsmall\n{large}{end}");
        using Stream stream = seekable ? new MemoryStream(bytes) : new BufferedStream(new System.IO.Compression.BrotliStream(Compressed(bytes), System.IO.Compression.CompressionMode.Decompress));
        using var reader = new LineReader(stream);

        ReadOnlyMemory<byte>? first = await reader.ReadAsync(TestContext.Current.CancellationToken);
        Assert.True(reader.IsKept);
        ReadOnlyMemory<byte>? second = await reader.ReadAsync(TestContext.Current.CancellationToken);
        Assert.False(reader.IsKept);
        Assert.Equal("small", Encoding.UTF8.GetString(second!.Value.Span));
        ReadOnlyMemory<byte>? third = await reader.ReadAsync(TestContext.Current.CancellationToken);
        Assert.Null(await reader.ReadAsync(TestContext.Current.CancellationToken));

        Assert.Equal(large[1..], Encoding.UTF8.GetString(first!.Value.Span));
        Assert.Equal(large, Encoding.UTF8.GetString(third!.Value.Span));
        Assert.Equal(3, reader.Line);
    }

    private static MemoryStream Compressed(byte[] bytes)
    {
        var compressed = new MemoryStream();
        using (var writer = new System.IO.Compression.BrotliStream(compressed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
        {
            writer.Write(bytes);
        }

        compressed.Position = 0;
        return compressed;
    }

    [Fact]
    public async Task Line_CountsFromOneWithBlankLines()
    {
        using var reader = new LineReader(new MemoryStream("a\n\nb"u8.ToArray()));
        foreach (int number in (int[])[1, 2, 3])
        {
            Assert.NotNull(await reader.ReadAsync(TestContext.Current.CancellationToken));
            Assert.Equal(number, reader.Line);
        }

        Assert.Null(await reader.ReadAsync(TestContext.Current.CancellationToken));
        Assert.Null(await reader.ReadAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task ReadAsync_AnyBytes_AreNotDecoded()
    {
        byte[] odd = [0xFF, 0xFE, 0x00, 0xC3, 0x28];
        using var reader = new LineReader(new MemoryStream([.. odd, (byte)'\n']));

        Assert.Equal(odd, (await reader.ReadAsync(TestContext.Current.CancellationToken))!.Value.ToArray());
    }

    [Fact]
    public async Task ReadAsync_LongAndShortLines_AreWhole()
    {
        string[] lines = [.. Enumerable.Range(0, 40).Select(i => new string((char)('a' + (i % 26)), i % 7 == 0 ? 30_000 * i : i))];

        Assert.Equal(lines, await ReadAsync(Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n"), [4096, 1, 65_537]));
    }

    private static async Task<List<string>> ReadAsync(byte[] bytes, int[] sizes)
    {
        using var reader = new LineReader(new ChoppedStream(bytes, sizes));
        var lines = new List<string>();
        while (await reader.ReadAsync(TestContext.Current.CancellationToken) is { } line)
        {
            lines.Add(Encoding.UTF8.GetString(line.Span));
        }

        return lines;
    }

    /// <summary>Hands out its bytes in reads of given sizes, over and over.</summary>
    private sealed class ChoppedStream(byte[] bytes, int[] sizes) : MemoryStream(bytes)
    {
        private int _read;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int size = Math.Min(sizes[_read++ % sizes.Length], buffer.Length);
            return base.ReadAsync(buffer[..size], cancellationToken);
        }
    }
}
