namespace FastLLM;

/// <summary>Represents how a number is distributed over rows, to within 0.1 %.</summary>
/// <param name="Count">The number of rows that have it.</param>
/// <param name="Sum">The sum.</param>
/// <param name="Median">The highest value of half of the rows.</param>
/// <param name="P90">The highest value of nine rows out of ten.</param>
/// <param name="P99">The highest value of 99 rows out of a hundred.</param>
/// <param name="Max">The highest value.</param>
public readonly record struct ReportSpread(long Count, long Sum, long Median, long P90, long P99, long Max);
