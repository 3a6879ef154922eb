using System.Net.Sockets;
using System.Security.Authentication;
using FastLLM.Diagnostics;

namespace FastLLM.Retries;

/// <summary>Names the failure behind an exception that a send threw.</summary>
internal static class ExceptionTable
{
    /// <summary>Names the failure.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <param name="fromOurTransport">Whether our own code sent: then a broken stream is a lost connection. A user's provider may mean
    /// anything by it.</param>
    public static LlmException ToFailure(Exception exception, bool fromOurTransport = false) => exception switch
    {
        LlmException failure => failure,
        _ when LacksDescriptors(exception, fromOurTransport) =>
            new LlmException(FailureKind.TooManyOpenFiles, Describe(exception), exception),
        _ when NotSentException.Find(exception) is { } notSent => NotSent(notSent, exception),
        HttpRequestException http => new LlmException(KindOf(http), Describe(http), http) { StatusCode = (int?)http.StatusCode },
        TimeoutException timeout => new LlmException(FailureKind.Timeout, timeout.Message, timeout),
        OperationCanceledException { InnerException: TimeoutException } timeout =>
            new LlmException(FailureKind.Timeout, timeout.Message, timeout),
        IOException or SocketException when fromOurTransport =>
            new LlmException(FailureKind.ConnectionLost, Describe(exception), exception),
        _ => new LlmException(FailureKind.Provider,
            $"The provider's code failed: {exception.GetType().Name}: {exception.Message}", exception),
    };

    private static LlmException NotSent(NotSentException notSent, Exception exception)
    {
        var failure = new LlmException(FailureKind.ConnectionLost, notSent.Message, exception);
        return notSent.IsFree ? failure.WithSendAgainChanged() : failure;
    }

    // Without descriptors, names do not resolve and certificates are not trusted: neither the hosts file nor the certificate store can be
    // read. A file that a provider of the user's own opens says nothing about the connection: the request may have been sent.
    private static bool LacksDescriptors(Exception exception, bool fromOurTransport) => exception switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError } =>
            Descriptors.AreUsedUp(exception) || Descriptors.AreScarce(),
        HttpRequestException => Descriptors.AreUsedUp(exception),
        _ => fromOurTransport && Descriptors.AreUsedUp(exception),
    };

    private static FailureKind KindOf(HttpRequestException exception) => exception.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => FailureKind.NameNotResolved,
        HttpRequestError.ConnectionError
            when exception.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused }
            => FailureKind.ConnectionRefused,
        HttpRequestError.SecureConnectionError when exception.InnerException is AuthenticationException { InnerException: null }
            => FailureKind.Certificate,
        HttpRequestError.InvalidResponse => FailureKind.InvalidResponse,
        HttpRequestError.ConfigurationLimitExceeded => FailureKind.ResponseTooLarge,
        _ when exception.StatusCode is { } status => FailureTable.Classify((int)status, default),
        _ => FailureKind.ConnectionLost,
    };

    // The outer message is often "An error occurred while sending the request"; the inner one says what.
    private static string Describe(Exception exception) =>
        exception.InnerException is { } inner ? $"{exception.Message} {inner.Message}" : exception.Message;
}
