using System.Text;
using FastLLM.Providers;
using Xunit;

namespace FastLLM.Tests.Providers;

public sealed class LiveStreamTests
{
    private static readonly LlmRequest s_request = LlmRequest.FromPrompt(null, "a", "m");

    [Fact]
    public void Find_OnlyWhileWatched()
    {
        var streams = new LiveStreams();
        Assert.Null(streams.Find(s_request));

        LiveStream one = streams.Watch(s_request.Key), two = streams.Watch(s_request.Key);
        streams.Leave(s_request.Key, one);

        Assert.Same(one, two);
        Assert.Same(two, streams.Find(s_request));
        Assert.Null(streams.Find(LlmRequest.FromPrompt(null, "b", "m")));
        streams.Leave(s_request.Key, two);
        Assert.Null(streams.Find(s_request));
    }

    [Fact]
    public void TryTake_LateWatcher_SeesAll()
    {
        var stream = new LiveStream();
        stream.Add("x"u8);
        stream.Add("y"u8);

        (LiveSend Send, int Taken) position = (stream.Attach(), 0);
        Assert.Equal(["x", "y"], Take(stream, ref position));
        stream.Add("z"u8);
        Assert.Equal(["z"], Take(stream, ref position));
    }

    [Fact]
    public void End_Failed_WatcherThatSawNothing_ContinuesWithTheNextSend()
    {
        var stream = new LiveStream();
        (LiveSend Send, int Taken) none = (stream.Attach(), 0), some = none;
        stream.Add("x"u8);
        Assert.Equal(["x"], Take(stream, ref some));

        stream.End(new LlmException(FailureKind.ConnectionLost, "gone"));
        stream.Add("y"u8);

        Assert.Equal(["y"], Take(stream, ref none));
        Assert.Equal(FailureKind.ConnectionLost, Assert.Throws<LlmException>(() => Take(stream, ref some)).Kind);
    }

    [Fact]
    public void End_WatcherKeepsItsEvents_OthersSeeOnlyTheNextSend()
    {
        var stream = new LiveStream();
        (LiveSend Send, int Taken) early = (stream.Attach(), 0);
        stream.Add("x"u8);
        Assert.Equal(["x"], Take(stream, ref early));
        stream.Add("y"u8);
        stream.End(failure: null);
        (LiveSend Send, int Taken) late = (stream.Attach(), 0);
        stream.Add("z"u8);

        Assert.Equal(["y"], Take(stream, ref early));
        Assert.Equal(["z"], Take(stream, ref late));
    }

    [Fact]
    public void Changed_CompletesAtTheNextChange()
    {
        var stream = new LiveStream();
        Task first = stream.Changed;
        stream.Wake();

        Assert.True(first.IsCompleted);
        Assert.False(stream.Changed.IsCompleted);
    }

    private static List<string> Take(LiveStream stream, ref (LiveSend Send, int Taken) position)
    {
        List<string> taken = [];
        while (stream.TryTake(ref position.Send, ref position.Taken, out byte[]? data))
        {
            taken.Add(Encoding.UTF8.GetString(data));
        }

        return taken;
    }
}
