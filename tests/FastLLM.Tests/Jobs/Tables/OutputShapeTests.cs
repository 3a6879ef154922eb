using FastLLM.Jobs.Input;
using FastLLM.Jobs.Tables;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Jobs.Tables;

/// <summary>The name of an output decides its form, and a table comes back as the same kind of table.</summary>
public sealed class OutputShapeTests
{
    [Theory]
    [InlineData("o.jsonl", OutputFormat.Auto, OutputKind.Lines, "o.jsonl")]
    [InlineData("o.JSONL.gz", OutputFormat.Auto, OutputKind.Lines, "o.JSONL.gz.log.jsonl")]
    [InlineData("o", OutputFormat.Auto, OutputKind.Lines, "o")]
    [InlineData("o.txt", OutputFormat.OpenAI, OutputKind.Lines, "o.txt")]
    [InlineData("o.jsonl", OutputFormat.Rows, OutputKind.JsonRows, "o.jsonl.log.jsonl")]
    [InlineData("o.json", OutputFormat.Auto, OutputKind.JsonArray, "o.json.log.jsonl")]
    [InlineData("o.json", OutputFormat.OpenAI, OutputKind.LineArray, "o.json.log.jsonl")]
    [InlineData("o.tab", OutputFormat.Auto, OutputKind.Tsv, "o.tab.log.jsonl")]
    [InlineData("o.csv.gz", OutputFormat.Auto, OutputKind.Csv, "o.csv.gz.log.jsonl")]
    [InlineData("o.xlsx", OutputFormat.Auto, OutputKind.Workbook, "o.xlsx.log.jsonl")]
    [InlineData("o.Parquet", OutputFormat.Rows, OutputKind.Parquet, "o.Parquet.log.jsonl")]
    public void Of_Name_DecidesTheForm(string output, OutputFormat format, object kind, string log)
    {
        OutputShape shape = OutputShape.Of(output, format);

        Assert.Null(OutputShape.FaultOf(output, format));
        Assert.Equal(((OutputKind)kind, log), (shape.Kind, shape.Log));
    }

    [Theory]
    [InlineData("o.txt", OutputFormat.Auto, ".jsonl, .json, .csv or .tsv (each also with .gz), .xlsx or .parquet")]
    [InlineData("o.xls", OutputFormat.Auto, "cannot be written as .xls")]
    [InlineData("o.xlsx.gz", OutputFormat.Auto, "compressed already")]
    [InlineData("o.parquet", OutputFormat.OpenAI, "OpenAI's lines cannot be written as .parquet")]
    [InlineData("-", OutputFormat.Rows, "name a file")]
    public void FaultOf_FormThatCannotBeWritten_NamesTheWay(string output, OutputFormat format, string says) =>
        Assert.Contains(says, OutputShape.FaultOf(output, format), StringComparison.Ordinal);

    [Theory]
    [InlineData("r.csv", "a,b\n1,2\n", "r.out.csv")]
    [InlineData("r.TSV", "a\tb\n", "r.out.TSV")]
    [InlineData("r.txt", "a,b\n1,2\n", "r.txt.out.csv")]
    [InlineData("r", "a|b\n1|2\n", "r.out.csv")]
    [InlineData("r.xlsx", "PK\u0003\u0004", "r.out.xlsx")]
    [InlineData("r.dat", "PAR1", "r.dat.out.parquet")]
    [InlineData("r.json", " [{}]", "r.out.json")]
    [InlineData("r.json", "{}\n{}\n", "r.json.out.jsonl")]
    [InlineData("r.jsonl", "{}\n", "r.out.jsonl")]
    public void DefaultOutput_OfATable_IsTheSameKindOfTable(string input, string begin, string output)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, input);
        File.WriteAllText(path, begin);

        string found = InputSource.DefaultOutput(path, new JobOptions { Input = path, Output = "", Template = new RowTemplate { Prompt = "x" } });

        Assert.Equal(Path.Combine(folder.Path, output), found);
    }
}
