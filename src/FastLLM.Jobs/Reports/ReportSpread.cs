namespace FastLLM;

/// <summary>How a number is spread over rows. Each is right to within 0.1 %.</summary>
/// <param name="Count">The rows that tell it.</param>
/// <param name="Sum">All together.</param>
/// <param name="Median">Half of the rows have at most this.</param>
/// <param name="P90">Nine rows out of ten have at most this.</param>
/// <param name="P99">99 rows out of a hundred have at most this.</param>
/// <param name="Max">The most.</param>
public readonly record struct ReportSpread(long Count, long Sum, long Median, long P90, long P99, long Max);
