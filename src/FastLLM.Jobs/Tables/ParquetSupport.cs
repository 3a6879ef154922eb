using System.Diagnostics.CodeAnalysis;

namespace FastLLM.Jobs.Tables;

/// <summary>Says whether Parquet files can be read and written. The library that does it uses reflection, so programs that are trimmed or
/// compiled ahead of time leave it out, unless they are published with the property <c>FastLLMParquetSupport</c>.</summary>
internal static class ParquetSupport
{
    public const string Missing =
        "Parquet files are not supported by this program, which is trimmed or compiled ahead of time. Use CSV, JSON or Excel files, "
        + "or publish the program with the property FastLLMParquetSupport=true.";

    private const string Switch = "FastLLM.Jobs.ParquetSupport";

    [FeatureSwitchDefinition(Switch)]
    public static bool IsAvailable => !AppContext.TryGetSwitch(Switch, out bool isAvailable) || isAvailable;
}
