using System.Runtime.InteropServices;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary><c>scripts/install.sh</c> with a small release, whose program is a script.</summary>
public sealed class InstallTests : IDisposable
{
    private readonly Tool _tool = new();

    private static string Platform => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64";

    public void Dispose() => _tool.Dispose();

    [Theory]
    [InlineData("", 0, "Installed fastllm 9.9.9")]
    [InlineData("echo damaged >> release/fastllm-*.tar.gz", 1, "does not match its checksum")]
    [InlineData("rm release/SHA256SUMS", 1, "There is no SHA256SUMS")]
    [InlineData("sed -i s/-linux-/-other-/ release/SHA256SUMS", 1, "has no program for linux-")]
    public async Task Install_FromARelease_VerifiesAndInstalls(string damage, int exit, string message)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The release of this test is for Linux.");
        ToolResult result = await _tool.RunInShellAsync(
            $$"""
            mkdir release; printf '#!/bin/sh\necho 9.9.9\n' > fastllm; chmod +x fastllm
            tar -czf release/fastllm-9.9.9-linux-{{Platform}}.tar.gz fastllm
            (cd release && sha256sum fastllm-* > SHA256SUMS)
            {{damage}}
            export SHELL=/bin/bash
            sh "{{Path.Combine(JobDocsTests.Root(), "scripts", "install.sh")}}" --from "$PWD/release" --to "$PWD/bin" 2>&1
            """);

        Assert.Equal(exit, result.Exit);
        Assert.Contains(message, result.Output, StringComparison.Ordinal);
        Assert.Equal(exit == 0, File.Exists(_tool.PathOf("bin/fastllm")));
        if (exit == 0)
        {
            Assert.Contains("is not on the PATH", result.Output, StringComparison.Ordinal);
            Assert.Contains(">> ~/.bashrc", result.Output, StringComparison.Ordinal);
        }
    }
}
