namespace FastLLM.Cluster.Broker;

/// <summary>Keeps a worker connected: connects anew, once a second, whenever the connection is lost.</summary>
internal sealed class BrokerLink(BrokerAddress address, string clusterId, string name, TimeProvider time, Action<string> say)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);
    private readonly Lock _gate = new();
    private BrokerSession? _session;

    /// <summary>Gets the connection; <see langword="null"/> while there is none.</summary>
    public BrokerSession? Session
    {
        get
        {
            lock (_gate)
            {
                return _session;
            }
        }
    }

    /// <summary>Stays connected until canceled.</summary>
    /// <param name="consume">Begins to consume on a new connection.</param>
    /// <param name="cancellationToken">Ends the link.</param>
    public async Task RunAsync(Func<BrokerSession, Task> consume, CancellationToken cancellationToken)
    {
        var isAway = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await using BrokerSession session =
                    await BrokerSession.OpenAsync(address, clusterId, name, cancellationToken).ConfigureAwait(false);
                Set(session);
                await consume(session).ConfigureAwait(false);
                if (isAway)
                {
                    say($"RabbitMQ at {address.Host} is back.");
                    isAway = false;
                }

                await session.Closed.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (BrokerFault.IsAway(e) && !cancellationToken.IsCancellationRequested)
            {
                if (!isAway)
                {
                    say($"{BrokerFault.MessageOf(e, address)} Trying again until it is back.");
                    isAway = true;
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }
            finally
            {
                Set(null);
            }

            try
            {
                await Task.Delay(s_pause, time, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void Set(BrokerSession? session)
    {
        lock (_gate)
        {
            _session = session;
        }
    }
}
