using FastLLM.Providers;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>A body comes out as it came in, in whatever pieces, with a length that was told or without.</summary>
public sealed class BodyBufferTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(4096, 4096)]
    [InlineData(4097, 1000)]
    [InlineData(70_000, 777)]
    [InlineData(3_000_001, 65_537)]
    public void ToBody_ReturnsAllBytes(int length, int mostAtOnce)
    {
        byte[] body = new byte[length];
        new Random(length).NextBytes(body);

        Assert.Equal(body, Through(body, mostAtOnce, told: null).ToArray());
        Assert.Equal(body, Through(body, mostAtOnce, told: length).ToArray());
    }

    [Fact]
    public void AnnouncedLength_TakesMemoryAfterHalfHasArrived()
    {
        var buffer = new BodyBuffer(announced: 60_000_000);
        for (var i = 0; i < 20; i++)
        {
            Memory<byte> room = buffer.Room();
            Assert.InRange(buffer.Capacity, 1, 128 * 1024);
            buffer.Take(Math.Min(room.Length, 4096));
        }

        buffer.Dispose();
    }

    private static ReadOnlyMemory<byte> Through(byte[] body, int mostAtOnce, long? told)
    {
        var buffer = new BodyBuffer(told);
        for (var at = 0; at < body.Length;)
        {
            long announced = buffer.NextCapacity;
            Memory<byte> room = buffer.Room();
            Assert.InRange(buffer.Capacity, 1, 2 * announced); // the pool rounds up
            int count = Math.Min(Math.Min(room.Length, mostAtOnce), body.Length - at);
            body.AsMemory(at, count).CopyTo(room);
            Assert.True(buffer.Take(count).SequenceEqual(body.AsSpan(at, count)));
            at += count;
        }

        ReadOnlyMemory<byte> whole = buffer.ToBody();
        buffer.Dispose();
        return whole;
    }
}
