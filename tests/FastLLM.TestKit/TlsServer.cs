using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FastLLM.TestKit;

/// <summary>A TLS server on loopback whose certificate nobody should trust. It counts the bytes that clients entrust to it all the same.</summary>
public sealed class TlsServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _closing = new();
    private readonly X509Certificate2? _certificate;
    private readonly Task _accepting;
    private int _connections;
    private int _bytes;

    private TlsServer(X509Certificate2? certificate)
    {
        _certificate = certificate;
        _listener.Start();
        ApiBase = $"https://localhost:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1";
        _accepting = AcceptAsync();
    }

    public string ApiBase { get; }

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Bytes of requests, decrypted.</summary>
    public int Bytes => Volatile.Read(ref _bytes);

    /// <summary>Starts a server with a certificate of its own making.</summary>
    /// <param name="host">The name that it is for.</param>
    /// <param name="days">How many days from now it is good for; negative, it has expired.</param>
    public static TlsServer Start(string host, int days)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 made = request.CreateSelfSigned(now.AddDays(Math.Min(days, 0) - 10), now.AddDays(days));
        return new TlsServer(X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null));
    }

    /// <summary>Starts a server that leaves in the middle of the handshake.</summary>
    public static TlsServer StartAborting() => new(null);

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _accepting;
        _listener.Stop();
        _certificate?.Dispose();
        _closing.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                using TcpClient client = await _listener.AcceptTcpClientAsync(_closing.Token);
                Interlocked.Increment(ref _connections);
                if (_certificate is not null)
                {
                    await ServeAsync(client, _certificate);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The server ends.
        }
    }

    private async Task ServeAsync(TcpClient client, X509Certificate2 certificate)
    {
        try
        {
            await using var tls = new SslStream(client.GetStream());
            await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate }, _closing.Token);
            Interlocked.Add(ref _bytes, await tls.ReadAsync(new byte[4096], _closing.Token));
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            // The client does not trust it, and has left: as it should.
        }
    }
}
