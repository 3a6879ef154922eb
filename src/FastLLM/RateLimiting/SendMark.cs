namespace FastLLM.RateLimiting;

/// <summary>What is remembered of one send until it ends.</summary>
/// <param name="Index">Its place among all sends of the model, from 0.</param>
/// <param name="At">When it began, in seconds.</param>
/// <param name="InFlight">How many others were in flight.</param>
internal readonly record struct SendMark(long Index, double At, int InFlight);
