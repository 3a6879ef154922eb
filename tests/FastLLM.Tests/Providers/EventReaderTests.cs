using System.Text;
using FastLLM.Providers;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>Server-sent events are the same events wherever the bytes are cut on their way.</summary>
public sealed class EventReaderTests
{
    public static TheoryData<string, string, string[]> Streams => new()
    {
        { "LF", "data: a\n\ndata: b\n\n", ["a", "b"] },
        { "CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"] },
        { "CR", "data: a\r\rdata: b\r\r", ["a", "b"] },
        { "all of them", "data: a\r\n\ndata: b\r\r\ndata: c\n\r\ndata: d\r\r", ["a", "b", "c", "d"] },
        { "no blank behind the colon", "data:a\n\ndata:  b \n\n", ["a", " b "] },
        { "several lines", "data: a\ndata: b\ndata:\ndata:c\n\n", ["a\nb\n\nc"] },
        { "several lines, CRLF, with others between", "data: a\r\n: x\r\nid: 1\r\ndata: b\r\n\r\n", ["a\nb"] },
        { "comments", ": keep-alive\n\n: OPENROUTER PROCESSING\n\n:\n\ndata: a\n\n:\ndata: b\n\n", ["a", "b"] },
        { "other fields", "retry: 10\nid: 7\nfoo\ndatas: no\nDATA: no\ndata: a\n\n", ["a"] },
        { "names", "event: message\ndata: a\n\nevent: error\ndata: b\n\ndata: c\n\nevent:error\n\ndata: d\n\n", ["a", "!b", "c", "d"] },
        { "a field named error", "error: {\"code\":500}\n\ndata: a\n\n", ["!{\"code\":500}", "a"] },
        { "a mark in front", "\uFEFFdata: a\n\n", ["a"] },
        { "a mark later is none", "data: a\n\n\uFEFFdata: b\n\ndata: \uFEFFc\n\n", ["a", "\uFEFFc"] },
        { "no end at the end", "data: a\n\ndata: [DONE]", ["a", "[DONE]"] },
        { "one end at the end", "data: a\n\ndata: b\n", ["a", "b"] },
        { "a CR at the end", "data: a\r", ["a"] },
        { "empty lines", "\n\r\n\r\n\n\ndata: a\n\n\n\n\n", ["a"] },
        { "an empty data", "data\n\ndata:\n\ndata: a\n\n", ["", "", "a"] },
        { "characters of two, three and four bytes", "data: é€😀\n\n", ["é€😀"] },
        { "nothing", "", [] },
        { "only a comment", ": a", [] },
    };

    [Theory]
    [MemberData(nameof(Streams))]
    public void TryRead_AnyCuts_ReturnsTheSameEvents(string name, string stream, string[] events)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(stream);
        Assert.Equal(events, Read([bytes]));
        Assert.Equal(events, Read(bytes.Select(b => new[] { b })));
        for (int i = 1; i < bytes.Length; i++)
        {
            for (int j = i; j < bytes.Length; j++)
            {
                Assert.True(events.SequenceEqual(Read([bytes[..i], bytes[i..j], bytes[j..]])), $"{name}, cut at {i} and {j}");
            }
        }
    }

    [Fact]
    public void TryRead_LongEvents_AreWhole()
    {
        string[] events = [new('a', 100_000), new string('b', 5000) + "\n" + new string('c', 70_000), "d"];
        byte[] bytes = Encoding.UTF8.GetBytes(string.Concat(events.Select(e => $"data: {e.Replace("\n", "\ndata: ", StringComparison.Ordinal)}\n\n")));

        Assert.Equal(events, Read(bytes.Chunk(777)));
    }

    [Theory]
    [InlineData("data: ", "")]
    [InlineData("data: ", "\n\n")]
    [InlineData(": ", "\n")]
    [InlineData("data: a\ndata: ", "\n\n")]
    public void TryRead_LineOverTheLimit_Stops(string begin, string end)
    {
        using var reader = new EventReader();
        byte[] bytes = [.. Encoding.ASCII.GetBytes(begin), .. Enumerable.Repeat((byte)'x', EventReader.MaxBytes), .. Encoding.ASCII.GetBytes(end)];
        foreach (byte[] piece in bytes.Chunk(1 << 20))
        {
            Feed(reader, piece);
            while (reader.TryRead(out _, out _))
            {
            }
        }

        Assert.True(reader.IsTooLong);
    }

    [Fact]
    public void TryRead_DataOverTheLimit_Stops()
    {
        using var reader = new EventReader();
        byte[] line = [.. "data: "u8, .. Enumerable.Repeat((byte)'x', 1 << 20), (byte)'\n'];
        for (int i = 0; i < 9; i++)
        {
            Feed(reader, line);
            Assert.False(reader.TryRead(out _, out _));
        }

        Assert.True(reader.IsTooLong);
    }

    private static List<string> Read(IEnumerable<byte[]> pieces)
    {
        using var reader = new EventReader(firstBytes: 16);
        List<string> events = [];
        foreach (byte[] piece in pieces.Where(piece => piece.Length > 0).Append([]))
        {
            Feed(reader, piece);
            while (reader.TryRead(out ReadOnlySpan<byte> data, out bool isError))
            {
                events.Add((isError ? "!" : "") + Encoding.UTF8.GetString(data));
            }
        }

        Assert.False(reader.IsTooLong);
        return events;
    }

    private static void Feed(EventReader reader, ReadOnlySpan<byte> piece)
    {
        do
        {
            Memory<byte> free = reader.Free();
            int count = Math.Min(free.Length, piece.Length);
            piece[..count].CopyTo(free.Span);
            reader.Take(count);
            piece = piece[count..];
        }
        while (!piece.IsEmpty);
    }
}
