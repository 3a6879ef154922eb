using System.Text;
using FastLLM.Cluster.Caching;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Cluster.Caching;

/// <summary>What is packed for the database comes back byte for byte, and nothing else does.</summary>
public sealed class AnswerBodyTests
{
    [Theory]
    [InlineData("", 1)]
    [InlineData("short", 6)]
    public void Pack_ShortBody_IsPlain(string text, int length) => Assert.Equal(length, AnswerBody.Pack(Encoding.UTF8.GetBytes(text)).Length);

    [Fact]
    public void Pack_TextOfAnAnswer_IsCompressed()
    {
        byte[] body = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 100).Select(i => $"{{\"index\":{i},\"content\":\"word\"}}")));

        Assert.InRange(AnswerBody.Pack(body).Length, 10, body.Length / 3);
    }

    [Fact]
    public void Pack_RandomBytes_StayAsTheyAre()
    {
        var body = new byte[100_000];
        new System.Random(1).NextBytes(body);

        Assert.Equal(body.Length + 1, AnswerBody.Pack(body).Length);
    }

    [Fact]
    public void Unpack_WhatWasPacked_IsTheBody() => Prop.ForAll<byte[], int>((part, times) =>
    {
        byte[] body = [.. Enumerable.Repeat(part, Math.Abs(times % 1000)).SelectMany(bytes => bytes)];
        return AnswerBody.Unpack(AnswerBody.Pack(body))!.Value.Span.SequenceEqual(body);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Unpack_OtherBytes_IsNull()
    {
        byte[] packed = AnswerBody.Pack(new byte[3000]);

        Assert.Null(AnswerBody.Unpack([]));
        Assert.Null(AnswerBody.Unpack([7, 1, 2]));
        Assert.Null(AnswerBody.Unpack([1, 255, 255, 255, 255, 0]));
        Assert.Null(AnswerBody.Unpack(packed[..^1]));
        Assert.Null(AnswerBody.Unpack([1, 5, 0, 0, 0, .. packed[5..]]));
    }
}
