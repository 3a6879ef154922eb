using System.Text.Json;

namespace FastLLM.Cli;

/// <summary>Writes limits that were learned: the same in events and in the status of a job.</summary>
internal static class LearnedJson
{
    /// <summary>Writes the member <c>learned_limits</c>, unless nothing was learned.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyList<LearnedLimits> all)
    {
        if (all.Count == 0)
        {
            return;
        }

        json.WriteStartArray("learned_limits");
        foreach (LearnedLimits limits in all)
        {
            json.WriteStartObject();
            json.WriteString("model", limits.Model);
            json.WriteString("description", limits.ToString());
            json.WriteNumber("refused_at_random", Math.Round(limits.RefusedAtRandom, 3));
            if (limits.InFlight is { } inFlight)
            {
                json.WriteNumber("in_flight", inFlight);
            }

            if (limits.RequestsPerSecond is { } rate)
            {
                json.WriteNumber("requests_per_second", Math.Round(rate, 3));
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
