using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using FastLLM.Retries;
using Xunit;

namespace FastLLM.Tests.Retries;

public sealed class ExceptionTableTests
{
    public static TheoryData<string, Exception, FailureKind> Exceptions => new()
    {
        { "refused", new HttpRequestException(HttpRequestError.ConnectionError, "x", new SocketException((int)SocketError.ConnectionRefused)), FailureKind.ConnectionRefused },
        { "connect failed otherwise", new HttpRequestException(HttpRequestError.ConnectionError, "x", new SocketException((int)SocketError.HostUnreachable)), FailureKind.ConnectionLost },
        { "name", new HttpRequestException(HttpRequestError.NameResolutionError, "x", new SocketException((int)SocketError.HostNotFound)), FailureKind.NameNotResolved },
        { "bad certificate", new HttpRequestException(HttpRequestError.SecureConnectionError, "x", new AuthenticationException("The remote certificate is invalid")), FailureKind.Certificate },
        { "handshake aborted", new HttpRequestException(HttpRequestError.SecureConnectionError, "x", new IOException("eof")), FailureKind.ConnectionLost },
        { "handshake failed", new HttpRequestException(HttpRequestError.SecureConnectionError, "x", new AuthenticationException("x", new IOException("eof"))), FailureKind.ConnectionLost },
        { "response ended", new HttpRequestException(HttpRequestError.ResponseEnded, "x", new HttpIOException(HttpRequestError.ResponseEnded)), FailureKind.ConnectionLost },
        { "invalid response", new HttpRequestException(HttpRequestError.InvalidResponse, "x"), FailureKind.InvalidResponse },
        { "headers too large", new HttpRequestException(HttpRequestError.ConfigurationLimitExceeded, "x"), FailureKind.ResponseTooLarge },
        { "EnsureSuccessStatusCode 429", new HttpRequestException("x", null, HttpStatusCode.TooManyRequests), FailureKind.RateLimited },
        { "EnsureSuccessStatusCode 500", new HttpRequestException("x", null, HttpStatusCode.InternalServerError), FailureKind.ServerError },
        { "EnsureSuccessStatusCode 400", new HttpRequestException("x", null, HttpStatusCode.BadRequest), FailureKind.InvalidRequest },
        { "plain", new HttpRequestException("x"), FailureKind.ConnectionLost },
        { "body ended", new HttpIOException(HttpRequestError.ResponseEnded), FailureKind.ConnectionLost },
        { "io", new IOException("x"), FailureKind.ConnectionLost },
        { "socket", new SocketException((int)SocketError.ConnectionReset), FailureKind.ConnectionLost },
        { "timeout", new TimeoutException("x"), FailureKind.Timeout },
        { "HttpClient timeout", new TaskCanceledException("x", new TimeoutException()), FailureKind.Timeout },
        { "cancelled for no reason of ours", new OperationCanceledException("x"), FailureKind.Provider },
        { "a provider's bug", new InvalidOperationException("x"), FailureKind.Provider },
        { "a provider's bad cast", new InvalidCastException("x"), FailureKind.Provider },
    };

    [Theory]
    [MemberData(nameof(Exceptions), DisableDiscoveryEnumeration = true)]
    public void ToFailure_NamesTheFailureBehindAnException_AndKeepsIt(string name, Exception exception, FailureKind kind)
    {
        LlmException failure = ExceptionTable.ToFailure(exception, fromOurTransport: true);

        Assert.NotEmpty(name);
        Assert.Equal(kind, failure.Kind);
        Assert.Same(exception, failure.InnerException);
        Assert.Equal((int?)(exception as HttpRequestException)?.StatusCode, failure.StatusCode);
    }

    [Fact]
    public void ABrokenStreamOfAUsersProviderMayMeanAnything_AndIsNoLostConnection()
    {
        Assert.Equal(FailureKind.Provider, ExceptionTable.ToFailure(new IOException("x")).Kind);
        Assert.Equal(FailureKind.Provider, ExceptionTable.ToFailure(new SocketException((int)SocketError.ConnectionReset)).Kind);
        Assert.Equal(FailureKind.ConnectionLost, ExceptionTable.ToFailure(new HttpRequestException("x")).Kind);
    }

    [Fact]
    public void ToFailure_LeavesAFailureAsItIs()
    {
        var failure = new LlmException(FailureKind.ContentFilter, "x") { StatusCode = 418, Code = "c", RetryAfter = TimeSpan.FromSeconds(1) };

        Assert.Same(failure, ExceptionTable.ToFailure(failure));
    }
}
