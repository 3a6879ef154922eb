using Xunit;

namespace FastLLM.Tests.PublicApi;

public sealed class OptionsTests
{
    [Fact]
    public void Options_HaveTheDocumentedDefaults()
    {
        var options = new RequestManagerOptions();

        Assert.Equal((100, false, 3), (options.Concurrency, options.AdaptiveConcurrency, options.RetryAttempts));
        Assert.Equal(
            (TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(15)),
            (options.Timeout, options.ConnectTimeout, options.RetryDelay, options.MaxThrottleWait));
        Assert.Equal((null, null, null), (options.FirstByteTimeout, options.IdleTimeout, options.TotalTimeout));
        Assert.Equal(StreamMode.AsRequested, options.StreamMode);
        Assert.Equal((true, 64L << 20), (options.ShowProgress, options.MaxResponseBytes));
        Assert.Equal((null, null, null, null), (options.Cache, options.HttpMessageHandler, options.Logger, options.Progress));
        Assert.Same(TimeProvider.System, options.TimeProvider);
    }

    public static TheoryData<string, Action<RequestManagerOptions>, string, string> OutOfRange => new()
    {
        { "Concurrency", o => o.Concurrency = 0, "0", "1" },
        { "Concurrency", o => o.Concurrency = 100_001, "100001", "100000" },
        { "RetryAttempts", o => o.RetryAttempts = 0, "0", "1" },
        { "Timeout", o => o.Timeout = TimeSpan.Zero, "00:00:00", "00:00:00" },
        { "ConnectTimeout", o => o.ConnectTimeout = TimeSpan.FromSeconds(-5), "-00:00:05", "00:00:00" },
        { "FirstByteTimeout", o => o.FirstByteTimeout = TimeSpan.Zero, "00:00:00", "00:00:00" },
        { "IdleTimeout", o => o.IdleTimeout = TimeSpan.Zero, "00:00:00", "00:00:00" },
        { "TotalTimeout", o => o.TotalTimeout = TimeSpan.Zero, "00:00:00", "00:00:00" },
        { "RetryDelay", o => o.RetryDelay = TimeSpan.FromSeconds(-1), "-00:00:01", "00:00:00" },
        { "MaxThrottleWait", o => o.MaxThrottleWait = TimeSpan.FromSeconds(-1), "-00:00:01", "00:00:00" },
        { "StreamMode", o => o.StreamMode = (StreamMode)7, "7", "" },
        { "MaxResponseBytes", o => o.MaxResponseBytes = 1023, "1023", "1024" },
        { "MaxResponseBytes", o => o.MaxResponseBytes = long.MaxValue, "9223372036854775807", "" },
    };

    [Theory]
    [MemberData(nameof(OutOfRange), DisableDiscoveryEnumeration = true)]
    public void Option_OutOfRange_ThrowsWithNameValueAndRange(string name, Action<RequestManagerOptions> set, string value, string bound)
    {
        var options = new RequestManagerOptions();
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => set(options));

        Assert.Equal(name, error.ParamName);
        Assert.All((string[])[name, value, bound], part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.Equal(ReadAll(new RequestManagerOptions()), ReadAll(options));
    }

    [Fact]
    public void Option_AtTheLimitsOfItsRange_IsAccepted()
    {
        var options = new RequestManagerOptions
        {
            Concurrency = 100_000,
            RetryAttempts = 1,
            RetryDelay = TimeSpan.Zero,
            MaxThrottleWait = TimeSpan.Zero,
            MaxResponseBytes = 1024,
            Timeout = Timeout.InfiniteTimeSpan,
            ConnectTimeout = Timeout.InfiniteTimeSpan,
            IdleTimeout = TimeSpan.FromTicks(1),
        };

        Assert.Equal(Timeout.InfiniteTimeSpan, options.Timeout);
        Assert.Throws<ArgumentNullException>(() => options.TimeProvider = null!);
    }

    [Theory]
    [InlineData(nameof(RateLimits.RequestsPerMinute))]
    [InlineData(nameof(RateLimits.TokensPerMinute))]
    [InlineData(nameof(RateLimits.InputTokensPerMinute))]
    [InlineData(nameof(RateLimits.OutputTokensPerMinute))]
    [InlineData(nameof(RateLimits.RequestsPerDay))]
    public void RateLimits_NotPositive_Throws(string name)
    {
        System.Reflection.PropertyInfo limit = typeof(RateLimits).GetProperty(name)!;
        var limits = new RateLimits();
        Assert.Null(limit.GetValue(limits));
        limit.SetValue(limits, 1L);
        limit.SetValue(limits, null);
        foreach (long wrong in (long[])[0, -1, long.MaxValue])
        {
            var error = Assert.IsType<ArgumentOutOfRangeException>(Assert.Throws<System.Reflection.TargetInvocationException>(() => limit.SetValue(limits, wrong)).InnerException);
            Assert.Equal(name, error.ParamName);
        }

        Assert.Null(limit.GetValue(limits));
    }

    public static TheoryData<string, string, RequestManagerOptions> DoNotFit => new()
    {
        { "FirstByteTimeout", "Timeout", new() { FirstByteTimeout = TimeSpan.FromSeconds(31) } },
        { "IdleTimeout", "Timeout", new() { IdleTimeout = TimeSpan.FromSeconds(3), Timeout = TimeSpan.FromSeconds(2) } },
        { "Timeout", "TotalTimeout", new() { Timeout = TimeSpan.FromSeconds(3), TotalTimeout = TimeSpan.FromSeconds(2) } },
    };

    [Theory]
    [MemberData(nameof(DoNotFit), DisableDiscoveryEnumeration = true)]
    public void Options_Contradictory_ThrowWithBothNames(string one, string two, RequestManagerOptions options)
    {
        var error = Assert.Throws<ArgumentException>(() => new RequestManager(new OpenAIProvider("k"), options));

        Assert.Contains(one, error.Message, StringComparison.Ordinal);
        Assert.Contains(two, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_AreCopied()
    {
        using var handler = new Never();
        var options = new RequestManagerOptions { HttpMessageHandler = handler };
        await using var manager = new RequestManager(new OpenAIProvider("k", "http://127.0.0.1:9/v1"), options);
        options.HttpMessageHandler = null;
        options.RetryAttempts = 1;
        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([LlmRequest.FromPrompt(null, "x", "m")], TestContext.Current.CancellationToken))[0];

        Assert.Equal(FailureKind.Provider, outcome.Error!.Kind);
        Assert.Equal(1, handler.Sends);
    }

    private static string ReadAll(RequestManagerOptions options) =>
        string.Join(';', typeof(RequestManagerOptions).GetProperties().Select(property => $"{property.Name}={property.GetValue(options)}"));

    private sealed class Never : HttpMessageHandler
    {
        public int Sends { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Sends++;
            throw new InvalidOperationException("never");
        }
    }
}
