using System.Net;
using System.Net.Sockets;

namespace FastLLM.TestKit.Servers;

/// <summary>Chooses free ports of the loopback address.</summary>
/// <remarks>Below the ports that systems give to clients: a server that starts again must find its port free, and a client that connects to a port
/// without a server must not be connected with itself.</remarks>
public static class LoopbackPort
{
    private const int First = 15_000;
    private const int End = 32_000;

    /// <summary>Returns a port that no server uses now.</summary>
    public static int Take()
    {
        while (true)
        {
            int port = Random.Shared.Next(First, End);
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
            {
                // The next one, then.
            }
        }
    }
}
