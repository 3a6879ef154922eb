using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

/// <summary>A pipe that takes no more is a fault of standard output.</summary>
public sealed class PipeSinkTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Write_ClosedPipe_NamesStandardOutput(bool inOrder)
    {
        using var sink = new PipeSink(new ClosedPipe(), inOrder, new AnswerIndex(isPipe: false));
        Assert.Null(sink.Fault);

        var fault = Assert.Throws<IOException>(() => sink.Write(0, "{}\n"u8));

        Assert.Equal("Standard output cannot be written: Broken pipe.", fault.Message);
        Assert.Same(fault, sink.Fault);
    }

    [Fact]
    public void Flush_ClosedPipe_NamesStandardOutput()
    {
        using var sink = new PipeSink(new ClosedPipe(), inOrder: true, new AnswerIndex(isPipe: false));
        sink.Write(1, "{}\n"u8); // waits for the row before

        Assert.Same(Assert.Throws<IOException>(sink.Flush), sink.Fault);
    }

    private sealed class ClosedPipe : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("Broken pipe");
    }
}
