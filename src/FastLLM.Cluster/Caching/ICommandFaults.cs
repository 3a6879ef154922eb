namespace FastLLM.Cluster.Caching;

/// <summary>Lets tests fail a command before the database executes it, or after: then it is executed, but the cache does not
/// know.</summary>
internal interface ICommandFaults
{
    Task BeforeAsync();

    Task AfterAsync();
}
