using System.Runtime.InteropServices;
using FastLLM.Jobs.Output;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

/// <summary>A pipe that another program has set to non-blocking mode.</summary>
public sealed class DescriptorStreamTests : IDisposable
{
    private const int NonBlocking = 0x800;

    private readonly SafeFileHandle _read;
    private readonly SafeFileHandle _write;

    public DescriptorStreamTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The pipes of Linux.");
        int[] ends = new int[2];
        Assert.Equal(0, Pipe(ends, NonBlocking));
        (_read, _write) = (new SafeFileHandle(ends[0], ownsHandle: true), new SafeFileHandle(ends[1], ownsHandle: true));
    }

    public void Dispose()
    {
        _read?.Dispose();
        _write?.Dispose();
    }

    [Fact]
    public async Task Write_FullPipe_WaitsForTheReader()
    {
        int before = Fill();
        byte[] expected = new byte[500_000];
        new Random(5).NextBytes(expected);

        Task writing = Task.Run(
            () =>
            {
                using var stream = new DescriptorStream(_write);
                stream.Write(expected);
            },
            TestContext.Current.CancellationToken);
        byte[] read = ReadToEnd();

        await writing;
        Assert.Equal(expected, read[before..]);
    }

    [Fact]
    public async Task Write_PipeClosedWhileItIsFull_Throws()
    {
        Fill();
        Task writing = Task.Run(
            () =>
            {
                using var stream = new DescriptorStream(_write);
                stream.Write(new byte[100_000]);
            },
            TestContext.Current.CancellationToken);

        _read.Dispose();

        var closed = await Assert.ThrowsAsync<IOException>(() => writing);
        Assert.Contains("pipe", closed.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Write_ClosedPipe_Throws()
    {
        _read.Dispose();
        using var stream = new DescriptorStream(_write);

        stream.Write([]);
        Assert.Throws<IOException>(() => stream.Write("x"u8));
    }

    private int Fill()
    {
        var filled = 0;
        while (Write(_write, new byte[4096], 4096) is > 0 and var written)
        {
            filled += (int)written;
        }

        return filled;
    }

    // The reading end waits too.
    private byte[] ReadToEnd()
    {
        using var stream = new MemoryStream();
        byte[] buffer = new byte[65_536];
        byte[] wanted = new byte[8];
        BitConverter.TryWriteBytes(wanted, (int)_read.DangerousGetHandle());
        wanted[4] = 1;
        while (true)
        {
            _ = Poll(wanted, 1, -1);
            nint read = Read(_read, buffer, (nuint)buffer.Length);
            if (read == 0)
            {
                return stream.ToArray();
            }

            stream.Write(buffer, 0, (int)Math.Max(0, read));
        }
    }

    [DllImport("libc", EntryPoint = "pipe2")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Pipe(int[] ends, int flags);

    [DllImport("libc", EntryPoint = "write")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Write(SafeFileHandle file, byte[] bytes, nuint count);

    [DllImport("libc", EntryPoint = "read")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Read(SafeFileHandle file, byte[] bytes, nuint count);

    [DllImport("libc", EntryPoint = "poll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Poll(byte[] wanted, nuint count, int milliseconds);
}
