using FastLLM.Jobs.Output;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

public sealed class SummedFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-output").FullName;

    private string Out => Path.Combine(_folder, "out.tmp");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void FlushAndCheck_Untouched_IsWhatWasWritten()
    {
        var random = new Random(3);
        byte[] expected = new byte[3_000_000];
        random.NextBytes(expected);
        using FileStream file = Create();
        using var summed = new SummedFile(file);
        for (var at = 0; at < expected.Length;)
        {
            int length = Math.Min(random.Next(200_000), expected.Length - at);
            summed.Write(expected, at, length);
            at += length;
        }

        summed.FlushAndCheck();

        // As a writer of archives does, which writes lengths after the fact.
        foreach (int at in (int[])[0, 14, 100_000, 2_999_990])
        {
            summed.Position = at;
            random.NextBytes(expected.AsSpan(at, 10));
            summed.Write(expected, at, 10);
        }

        summed.Seek(-5, SeekOrigin.End);
        summed.Write("over the end"u8);
        expected = [.. expected.AsSpan(0, expected.Length - 5), .. "over the end"u8];
        summed.FlushAndCheck();
        Assert.Equal((expected.Length, expected.Length), (summed.Length, summed.Position));
        file.Position = 0;
        byte[] written = new byte[expected.Length];
        file.ReadExactly(written);
        Assert.Equal(expected, written);
    }

    [Fact]
    public void FlushAndCheck_AnyTwoBytesSwapped_Throws()
    {
        byte[] bytes = [.. Enumerable.Range(0, 21).Select(i => (byte)(255 - (i * i % 251)))];
        using FileStream file = Create();
        using var summed = new SummedFile(file);
        summed.Write(bytes);
        for (var first = 0; first < bytes.Length; first++)
        {
            for (int second = first + 1; second < bytes.Length; second++)
            {
                byte[] changed = [.. bytes];
                (changed[first], changed[second]) = (changed[second], changed[first]);
                RandomAccess.Write(file.SafeFileHandle, changed, 0);
                Assert.Equal(changed.AsSpan().SequenceEqual(bytes) ? null : typeof(IOException), Record.Exception(summed.FlushAndCheck)?.GetType());
            }
        }
    }

    [Fact]
    public void FlushAndCheck_Empty_IsIntact()
    {
        using FileStream file = Create();
        using var summed = new SummedFile(file);

        summed.FlushAndCheck();
    }

    [Theory]
    [InlineData("cut, and zeros are in the gap")]
    [InlineData("cut at the end")]
    [InlineData("longer")]
    [InlineData("another byte")]
    [InlineData("two bytes swapped")]
    public void FlushAndCheck_Changed_Throws(string how)
    {
        using FileStream file = Create();
        using var summed = new SummedFile(file);
        summed.Write("0123456789"u8);
        summed.Flush();
        using (var other = new FileStream(Out, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            switch (how)
            {
                case "cut, and zeros are in the gap" or "cut at the end":
                    other.SetLength(3);
                    break;
                case "longer":
                    other.Position = 10;
                    other.Write("x"u8);
                    break;
                case "another byte":
                    other.Write("x"u8);
                    break;
                default:
                    other.Write("10"u8);
                    break;
            }
        }

        if (how == "cut, and zeros are in the gap")
        {
            summed.Write("9876543210"u8);
        }

        var fault = Assert.Throws<IOException>(summed.FlushAndCheck);
        Assert.Contains($"changed {Out} while it was written", fault.Message, StringComparison.Ordinal);
    }

    private FileStream Create() => new(Out, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite, 1 << 16);
}
