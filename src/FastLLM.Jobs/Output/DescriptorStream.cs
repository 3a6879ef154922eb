using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Writes to a descriptor of Unix, such as standard output, and waits while it takes nothing.</summary>
/// <remarks>Another program may have set the pipe to non-blocking mode, which all who have it open share. .NET's stream of a file fails
/// there as soon as the pipe is full, and that of the console ignores a closed pipe; this one waits, and throws.</remarks>
/// <param name="descriptor">The descriptor.</param>
internal sealed class DescriptorStream(SafeFileHandle descriptor) : Stream
{
    private const int Interrupted = 4, Again = 11, AgainOnMac = 35;
    private const short Writable = 4;
    private const int Forever = -1;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <inheritdoc/>
    /// <exception cref="IOException">The pipe is closed, or the disk is full.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            nint written = Write(descriptor, ref MemoryMarshal.GetReference(buffer), (nuint)buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }

            int error = Marshal.GetLastPInvokeError();
            if (error == (OperatingSystem.IsMacOS() ? AgainOnMac : Again))
            {
                WaitUntilWritable();
            }
            else if (error != Interrupted)
            {
                throw new IOException(new Win32Exception(error).Message, error);
            }
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            descriptor.Dispose();
        }

        base.Dispose(disposing);
    }

    // Ends as well when the pipe is closed: the next write says so.
    private void WaitUntilWritable()
    {
        var isHeld = false;
        try
        {
            descriptor.DangerousAddRef(ref isHeld);
            Span<byte> wanted = stackalloc byte[8];
            wanted.Clear();
            BinaryPrimitives.WriteInt32LittleEndian(wanted, (int)descriptor.DangerousGetHandle());
            BinaryPrimitives.WriteInt16LittleEndian(wanted[4..], Writable);
            _ = Poll(ref MemoryMarshal.GetReference(wanted), 1, Forever);
        }
        finally
        {
            if (isHeld)
            {
                descriptor.DangerousRelease();
            }
        }
    }

    [DllImport("libc", EntryPoint = "write", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Write(SafeFileHandle file, ref byte bytes, nuint count);

    [DllImport("libc", EntryPoint = "poll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Poll(ref byte wanted, nuint count, int milliseconds);
}
