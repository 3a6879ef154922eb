using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Diagnostics;

/// <summary>Represents the identity, kind, owner, permissions and length of a file. .NET does not give the identity.</summary>
/// <remarks>On a system that does not give it either, all files have the same identity, and only the length distinguishes them.</remarks>
/// <param name="Device">The number of its volume.</param>
/// <param name="Id">Its number on the volume.</param>
/// <param name="Mode">Its kind and permissions, as POSIX writes them.</param>
/// <param name="Owner">The number of the user that owns it; 0 on Windows.</param>
/// <param name="Group">The number of its group; 0 on Windows.</param>
/// <param name="Length">Its length in bytes.</param>
internal readonly record struct FileStatus(ulong Device, ulong Id, uint Mode, uint Owner, uint Group, long Length)
{
    private const uint Kind = 0xF000, Regular = 0x8000, Folder = 0x4000, Link = 0xA000;
    private const uint OthersWrite = 0x2, GroupWrites = 0x10, Sticky = 0x200;
    private const int NotFound = 2, NotAFolder = 20;
    private const int CurrentFolder = -100, NoFollow = 0x100, EmptyPath = 0x1000, BasicStats = 0x7FF;

    private static readonly bool s_hasPlainNames = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>Gets the user whose permissions this process has; 0 on Windows.</summary>
    public static uint User => OperatingSystem.IsWindows() ? 0 : GetEffectiveUser();

    public bool IsRegular => (Mode & Kind) == Regular;

    public bool IsFolder => (Mode & Kind) == Folder;

    public bool IsLink => (Mode & Kind) == Link;

    /// <summary>Gets a value indicating whether all users may create files in the folder, but delete only their own, as in
    /// <c>/tmp</c>.</summary>
    public bool IsSharedFolder => IsFolder && (Mode & (OthersWrite | Sticky)) == (OthersWrite | Sticky);

    /// <summary>Determines whether no other user may write: the file is the user's, and all and other groups may not write; or it is
    /// root's alone.</summary>
    /// <remarks>The group of this process may write: many systems give each user a group, and files that the group may write to.</remarks>
    public bool IsOnlyWrittenBy(uint user) => Owner == user
        ? (Mode & OthersWrite) == 0 && ((Mode & GroupWrites) == 0 || Group == GetEffectiveGroup())
        : Owner == 0 && (Mode & (OthersWrite | GroupWrites)) == 0;

    /// <summary>Gets what is at a path, without following a link at its end; <see langword="null"/> if nothing is there.</summary>
    public static FileStatus? Of(string path) => Of(path, NoFollow);

    /// <summary>Gets what a path leads to, through links; <see langword="null"/> if nothing is there.</summary>
    public static FileStatus? OfTarget(string path)
    {
        if (OperatingSystem.IsLinux())
        {
            return Of(path, flags: 0);
        }

        return Of(path) is { IsLink: true } ? Of(File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName) : Of(path);
    }

    private static FileStatus? Of(string path, int flags)
    {
        if (OperatingSystem.IsWindows())
        {
            return Portable(path);
        }

        Span<byte> status = stackalloc byte[256];
        byte[] name = Encoding.UTF8.GetBytes(path + '\0');
        ref byte first = ref MemoryMarshal.GetReference(status);
        int failed = OperatingSystem.IsLinux() ? StatX(CurrentFolder, name, flags, BasicStats, ref first)
            : !OperatingSystem.IsMacOS() ? -1
            : s_hasPlainNames ? LStat(name, ref first) : LStat64(name, ref first);
        return failed == 0 ? Read(status) : Marshal.GetLastPInvokeError() is NotFound or NotAFolder ? null : Portable(path);
    }

    /// <summary>Gets an open file; <see langword="null"/> if the system has lost it.</summary>
    public static FileStatus? Of(SafeFileHandle file)
    {
        Span<byte> status = stackalloc byte[256];
        ref byte first = ref MemoryMarshal.GetReference(status);
        if (OperatingSystem.IsWindows())
        {
            return GetFileInformationByHandle(file, ref first) ? ReadWindows(status) : Portable(file);
        }

        int failed = OperatingSystem.IsLinux() ? StatX(file, [0], EmptyPath, BasicStats, ref first)
            : !OperatingSystem.IsMacOS() ? -1
            : s_hasPlainNames ? FStat(file, ref first) : FStat64(file, ref first);
        return failed == 0 ? Read(status) : Portable(file);
    }

    /// <summary>Determines whether a path leads to an open file, without following a link at its end.</summary>
    public static bool IsAt(SafeFileHandle file, string path) =>
        Of(path) is { } there && Of(file) is { } open && there.IsSameFile(open);

    /// <summary>Determines whether the file is at a path, and as long as it was.</summary>
    public bool IsUnchangedAt(string path) => Of(path) is { } there && there.IsSameFile(this) && there.Length == Length;

    /// <summary>Determines whether both are one and the same file, whatever its length is now.</summary>
    public bool IsSameFile(in FileStatus other) => Device == other.Device && Id == other.Id;

    private static FileStatus Read(ReadOnlySpan<byte> status) => OperatingSystem.IsLinux()
        ? new FileStatus(
            UInt64(status, 136), UInt64(status, 32), UInt16(status, 28), UInt32(status, 20), UInt32(status, 24), (long)UInt64(status, 40))
        : new FileStatus(
            UInt32(status, 0), UInt64(status, 8), UInt16(status, 4), UInt32(status, 16), UInt32(status, 20), (long)UInt64(status, 96));

    private static FileStatus ReadWindows(ReadOnlySpan<byte> status) => new(
        UInt32(status, 28),
        ((ulong)UInt32(status, 44) << 32) | UInt32(status, 48),
        Regular,
        0,
        0,
        ((long)UInt32(status, 32) << 32) | UInt32(status, 36));

    private static FileStatus? Portable(string path)
    {
        try
        {
            FileAttributes attributes = File.GetAttributes(path);
            if (new FileInfo(path).LinkTarget is not null || (attributes & FileAttributes.Directory) != 0)
            {
                return new FileStatus(0, 0, (attributes & FileAttributes.Directory) != 0 ? Folder : Link, 0, 0, 0);
            }

            if (!OperatingSystem.IsWindows())
            {
                return new FileStatus(0, 0, Regular, 0, 0, new FileInfo(path).Length);
            }

            using SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            return Of(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new FileStatus(0, 0, Regular, 0, 0, 0); // it is there, in use by another process
        }
    }

    private static FileStatus? Portable(SafeFileHandle file)
    {
        try
        {
            return new FileStatus(0, 0, Regular, 0, 0, RandomAccess.GetLength(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static ulong UInt64(ReadOnlySpan<byte> status, int at) => BinaryPrimitives.ReadUInt64LittleEndian(status[at..]);

    private static uint UInt32(ReadOnlySpan<byte> status, int at) => BinaryPrimitives.ReadUInt32LittleEndian(status[at..]);

    private static uint UInt16(ReadOnlySpan<byte> status, int at) => BinaryPrimitives.ReadUInt16LittleEndian(status[at..]);

    [DllImport("libc", EntryPoint = "statx", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int StatX(int folder, byte[] path, int flags, uint mask, ref byte status);

    [DllImport("libc", EntryPoint = "statx", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int StatX(SafeFileHandle file, byte[] path, int flags, uint mask, ref byte status);

    [DllImport("libc", EntryPoint = "lstat", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int LStat(byte[] path, ref byte status);

    [DllImport("libc", EntryPoint = "lstat$INODE64", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int LStat64(byte[] path, ref byte status);

    [DllImport("libc", EntryPoint = "fstat", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int FStat(SafeFileHandle file, ref byte status);

    [DllImport("libc", EntryPoint = "fstat$INODE64", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int FStat64(SafeFileHandle file, ref byte status);

    [DllImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint GetEffectiveUser();

    [DllImport("libc", EntryPoint = "getegid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint GetEffectiveGroup();

    [DllImport("kernel32", EntryPoint = "GetFileInformationByHandle")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool GetFileInformationByHandle(SafeFileHandle file, ref byte information);
}
