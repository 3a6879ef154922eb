namespace FastLLM.Retries;

/// <summary>Specifies which other requests may fail for the same reason.</summary>
internal enum FailureDomain
{
    /// <summary>None: the content of the request is the reason.</summary>
    Request,

    /// <summary>Unknown: a limit or an outage, which passes.</summary>
    Passing,

    /// <summary>All, as long as none has been answered: a parameter or an address is wrong, or the server is broken.</summary>
    Alike,

    /// <summary>Those of the same model.</summary>
    Model,

    /// <summary>All of the same endpoint and key.</summary>
    Account,
}
