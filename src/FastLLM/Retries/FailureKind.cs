namespace FastLLM;

/// <summary>Specifies why a request has no answer: the stage, and the party at fault.</summary>
/// <remarks>What the engine does about each kind (send again, wait, fail the row, stop the run) is one table, described in
/// <c>docs/failures.md</c>. New kinds may be added in later releases; names and numbers of existing ones stay.</remarks>
public enum FailureKind
{
    /// <summary>Not known. Also the kind of an <see cref="LlmException"/> that was made without one.</summary>
    Unknown = 0,

    /// <summary>Input: the request was never sent, because the run ended first. It costs nothing to ask again.</summary>
    NotSent = 1,

    /// <summary>Input: the caller canceled while the request was in flight. The provider may bill it.</summary>
    Canceled = 2,

    /// <summary>Input: FastLLM or the provider cannot do what the request asks for, such as a stream of embeddings. Not sent.</summary>
    NotSupported = 3,

    /// <summary>Input: there is a budget, but what the request may cost has no bound: no price, no limit of its output, or content of
    /// unknown cost. Not sent.</summary>
    CostUnbounded = 4,

    /// <summary>Cache: the answer could not be looked up or recorded. The run stops before it pays for more.</summary>
    Cache = 10,

    /// <summary>Request refused: malformed or not allowed (400, 409 excepted, 422 and the other 4xx without a kind of their own).</summary>
    InvalidRequest = 20,

    /// <summary>Request refused: prompt and allowed output are longer than the model's context.</summary>
    ContextLength = 21,

    /// <summary>Request refused: the provider's content filter or moderation rejected the prompt.</summary>
    ContentFilter = 22,

    /// <summary>Request refused: larger than the provider or the account's limit will ever take (413, or a 429 whose request exceeds its
    /// limit).</summary>
    RequestTooLarge = 23,

    /// <summary>Request refused: there is nothing at this address (404 without word of a model).</summary>
    NotFound = 24,

    /// <summary>Account: the API key is missing, wrong or revoked (401).</summary>
    Authentication = 30,

    /// <summary>Account: the API key is good, but may not do this (403).</summary>
    PermissionDenied = 31,

    /// <summary>Account: out of credit, or over its spend or usage limit. Waiting seconds does not help.</summary>
    QuotaExhausted = 32,

    /// <summary>Account: the model does not exist or the account may not use it.</summary>
    ModelNotFound = 33,

    /// <summary>Account: the requests of the day are used up, by the provider's word or by the configured limit
    /// (<see cref="RateLimits.RequestsPerDay"/>).</summary>
    DailyLimit = 34,

    /// <summary>Account: what is left of the budget (<see cref="RequestManagerOptions.Budget"/>) cannot pay the next request's worst
    /// case.</summary>
    BudgetExhausted = 35,

    /// <summary>Throttled: too many requests or tokens for now (429).</summary>
    RateLimited = 40,

    /// <summary>Throttled: the server is overloaded, starting or in maintenance (503, 529).</summary>
    Overloaded = 41,

    /// <summary>Connection: refused, so that nothing was sent.</summary>
    ConnectionRefused = 50,

    /// <summary>Connection: failed or lost, before or while the answer came.</summary>
    ConnectionLost = 51,

    /// <summary>Connection: the host's name does not resolve.</summary>
    NameNotResolved = 52,

    /// <summary>Connection: the server's certificate is not to be trusted.</summary>
    Certificate = 53,

    /// <summary>No whole answer within the time allowed.</summary>
    Timeout = 54,

    /// <summary>Connection: the process or the system has no file descriptor left for it. Nothing was sent.</summary>
    TooManyOpenFiles = 55,

    /// <summary>Answer: the server failed (500, 502, 504 and other 5xx).</summary>
    ServerError = 60,

    /// <summary>Answer: the server gave up on this request for now (408, 409, 425).</summary>
    ServerConflict = 61,

    /// <summary>Answer: cut short, or without the field that ends it.</summary>
    IncompleteResponse = 62,

    /// <summary>Answer: not JSON, or not the JSON that was asked for.</summary>
    InvalidResponse = 63,

    /// <summary>Answer: larger than the cap on responses.</summary>
    ResponseTooLarge = 64,

    /// <summary>Answer: a redirect, which is never followed, since it would carry prompts and keys elsewhere.</summary>
    Redirect = 65,

    /// <summary>Answer: whole, but it does not pass its check (<see cref="AnswerCheck"/>, <c>--labels</c>, <c>--schema</c>), and neither
    /// does its correction. <see cref="LlmException.Answers"/> has both.</summary>
    InvalidAnswer = 66,

    /// <summary>Output: an outcome could not be written. The run stops before it pays for more.</summary>
    Output = 80,

    /// <summary>Run: more requests failed than <see cref="RequestManagerOptions.MaxErrors"/> or
    /// <see cref="RequestManagerOptions.MaxErrorShare"/> allow.</summary>
    TooManyFailures = 81,

    /// <summary>Provider: its code threw an exception that says nothing about the cause; see
    /// <see cref="Exception.InnerException"/>.</summary>
    Provider = 70,
}
