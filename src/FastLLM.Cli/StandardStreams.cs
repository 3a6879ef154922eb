using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Cli;

/// <summary>Represents the standard streams of the process, which may be closed (<c>2&gt;&amp;-</c>) or lead to a full disk.</summary>
/// <remarks>The number of a closed descriptor goes to the next file that is opened, usually one of the runtime. Messages written there
/// could damage any file, and reading from there would never end. Descriptors from the parent process survive exec; those that the runtime
/// opens are marked to be closed on exec.</remarks>
internal static class StandardStreams
{
    private const int GetFlags = 1; // F_GETFD
    private const int CloseOnExec = 1; // FD_CLOEXEC

    private static readonly bool[] s_isOpen = [IsGiven(0), IsGiven(1), IsGiven(2)];
    private static readonly List<SafeFileHandle> s_placeholders = Fill();

    /// <summary>Gets a value indicating whether there is a standard output.</summary>
    public static bool HasOutput => s_isOpen[1];

    /// <summary>Gets standard output as text. Writing fails if it is closed.</summary>
    public static TextWriter Output => HasOutput ? Console.Out : new StreamWriter(new ClosedStream()) { AutoFlush = true };

    /// <summary>Prepares the process; call it before anything is written. Messages that cannot be written are dropped from then on: none is
    /// worth a run.</summary>
    public static void Prepare() => Console.SetError(s_isOpen[2] ? Error() : TextWriter.Null);

    /// <summary>Opens standard output.</summary>
    /// <exception cref="UsageException">It is closed.</exception>
    public static Stream OpenOutput()
    {
        RequireOutput();
        return Console.OpenStandardOutput();
    }

    /// <summary>Opens standard input.</summary>
    /// <exception cref="UsageException">It is closed.</exception>
    public static Stream OpenInput()
    {
        RequireInput();
        return Console.OpenStandardInput();
    }

    /// <summary>Rejects a command that writes to standard output if that is closed.</summary>
    /// <exception cref="UsageException">It is closed.</exception>
    public static void RequireOutput()
    {
        if (!HasOutput)
        {
            throw new UsageException("Standard output is closed. Nothing was sent.");
        }
    }

    /// <summary>Rejects a command that reads from standard input if that is closed.</summary>
    /// <exception cref="UsageException">It is closed.</exception>
    public static void RequireInput()
    {
        if (!s_isOpen[0])
        {
            throw new UsageException("Standard input is closed, so there is nothing to read from -.");
        }
    }

    private static bool IsGiven(int number) =>
        OperatingSystem.IsWindows() || (FileControl(number, GetFlags) is >= 0 and var flags && (flags & CloseOnExec) == 0);

    private static TextWriter Error()
    {
        var stream = new DroppingStream(Console.OpenStandardError());
        return TextWriter.Synchronized(new StreamWriter(stream, new UTF8Encoding(false), bufferSize: 256) { AutoFlush = true });
    }

    // A free number goes to the next file that is opened, and the runtime writes its crash messages to 2.
    private static List<SafeFileHandle> Fill()
    {
        List<SafeFileHandle> placeholders = [];
        for (var number = 0; number <= 2 && !OperatingSystem.IsWindows(); number++)
        {
            if (FileControl(number, GetFlags) < 0)
            {
                placeholders.Add(File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite));
            }
        }

        return placeholders;
    }

    [DllImport("libc", EntryPoint = "fcntl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int FileControl(int descriptor, int command);

    /// <summary>Drops bytes that cannot be written.</summary>
    private sealed class DroppingStream(Stream inner) : WriteOnlyStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            try
            {
                inner.Write(buffer);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The terminal is gone, or the disk is full.
            }
        }
    }

    /// <summary>Fails like a closed file.</summary>
    private sealed class ClosedStream : WriteOnlyStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("Standard output is closed.");
    }

    private abstract class WriteOnlyStream : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
