using System.Text;
using CsvHelper;
using FastLLM.Jobs.Tables;
using FastLLM.Tests.Requests;
using FsCheck;
using FsCheck.Fluent;
using FastLLM.Tests.Jobs.Input;
using Xunit;

namespace FastLLM.Tests.Jobs.Tables;

/// <summary>Rows hold the values of their records, and no answer of a table is a formula.</summary>
public sealed class TableWriterTests
{
    [Theory]
    [InlineData("=cmd()", "'=cmd()")]
    [InlineData("=1,2", "\"'=1,2\"")]
    [InlineData("+1 555", "'+1 555")]
    [InlineData("-x", "'-x")]
    [InlineData("-", "'-")]
    [InlineData("@SUM(A1)", "'@SUM(A1)")]
    [InlineData("\tx", "'\tx")]
    [InlineData("\rx", "\"'\rx\"")]
    [InlineData("\nx", "\"'\nx\"")]
    [InlineData("-5", "-5")]
    [InlineData("+5.25", "+5.25")]
    [InlineData("-1e-7", "-1e-7")]
    [InlineData("-5.", "'-5.")]
    [InlineData("-1+2", "'-1+2")]
    [InlineData("-0x1", "'-0x1")]
    [InlineData("  =1+1", "'  =1+1")]
    [InlineData("\u00A0@sum", "'\u00A0@sum")]
    [InlineData("\uFEFF+1+2", "'\uFEFF+1+2")]
    [InlineData("\u200B \u2003-cmd", "'\u200B \u2003-cmd")]
    [InlineData("\u0001=1", "'\u0001=1")]
    [InlineData("\u2028=1", "'\u2028=1")]
    [InlineData("\u3164=1", "'\u3164=1")]
    [InlineData("\U000E0001=1", "'\U000E0001=1")]
    [InlineData(" \U000E0100\uFEFF\U000E0041+a", "' \U000E0100\uFEFF\U000E0041+a")]
    [InlineData("\U0001F600=1", "\U0001F600=1")]
    [InlineData("\uFF1D1+1", "'\uFF1D1+1")]
    [InlineData(" \"=1\"", "\" \"\"=1\"\"\"")]
    [InlineData(" -5", " -5")]
    [InlineData("\u00A0a=1", "\u00A0a=1")]
    [InlineData(" ", " ")]
    [InlineData("1=1", "1=1")]
    [InlineData(" =1", "' =1")]
    [InlineData("\u00A0=1", "'\u00A0=1")]
    [InlineData("\uFEFF=1", "'\uFEFF=1")]
    [InlineData("\uFEFF \u200B\u0000@x", "'\uFEFF \u200B\uFFFD@x")]
    [InlineData("a\0\0,b", "\"a\uFFFD\uFFFD,b\"")]
    [InlineData("\u3000+cmd", "'\u3000+cmd")]
    [InlineData("\t-5", "'\t-5")]
    [InlineData(" a = b", " a = b")]
    [InlineData("", "")]
    [InlineData("say \"hi\"", "\"say \"\"hi\"\"\"")]
    [InlineData("a,b", "\"a,b\"")]
    [InlineData("a;b", "a;b")]
    public void Append_Cell_IsQuotedAndNeverAFormula(string text, string cell)
    {
        var line = new StringBuilder();

        TableCell.Append(line, text, ',', isGuarded: TableCell.MayBeFormula(text));

        Assert.Equal(cell, line.ToString());
    }

    [Fact]
    public void Append_AnyCells_AreReadBackByCsvHelper()
    {
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(TableReaderTests.Rows().ToArbitrary(), rows =>
        {
            var text = new StringBuilder();
            foreach (string[] row in rows)
            {
                for (var i = 0; i < row.Length; i++)
                {
                    text.Append(i > 0 ? "," : "");
                    TableCell.Append(text, row[i], ',', isGuarded: TableCell.MayBeFormula(row[i]));
                }

                text.Append('\n');
            }

            using CsvReader reader = CsvReader.FromText(text.ToString(), new CsvReaderOptions { HasHeader = false, Separator = ',' });
            foreach (string[] row in rows)
            {
                Assert.True(reader.Read());
                string[] cells = reader.Current.ToArray();
                Assert.Equal(row, cells.Select((cell, i) => cell.StartsWith('\'') && !row[i].StartsWith('\'') ? cell[1..] : cell));
                Assert.All(cells, cell => Assert.False(cell is ['=' or '-' or '\t' or '\r' or '\n', ..] && !(cell[0] == '-' && cell.Length > 1 && cell.AsSpan(1).TrimStart('0').IsEmpty)));
            }

            Assert.False(reader.Read());
        }));
    }

    /// <summary>A record, and its row: answer, finish reason, error, tokens, cost.</summary>
    public static TheoryData<string, string> Records => new()
    {
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"choices":[{"message":{"content":"Yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}},"error":null,"fastllm":{"cost":0.000120}}""",
            """{"answer":"Yes","finish_reason":"stop","error":null,"prompt_tokens":3,"completion_tokens":1,"cost":0.000120}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c"}]},"finish_reason":"tool_calls"}]}},"error":null}""",
            """{"answer":[{"id":"c"}],"finish_reason":"tool_calls","error":null,"prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}},"error":null}""",
            """{"answer":"No.","finish_reason":"stop","error":null,"prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"choices":[{"text":"old","finish_reason":"length"}]}},"error":null}""",
            """{"answer":"old","finish_reason":"length","error":null,"prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"data":[{"embedding":[0.10,-2]}],"usage":{"prompt_tokens":5}}},"error":null}""",
            """{"answer":[0.10,-2],"finish_reason":null,"error":null,"prompt_tokens":5,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"status":"completed","output":[{"type":"reasoning"},{"content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]}],"usage":{"input_tokens":1,"output_tokens":2}}},"error":null}""",
            """{"answer":"ab","finish_reason":"completed","error":null,"prompt_tokens":1,"completion_tokens":2,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"choices":[],"usage":{"prompt_tokens":1}}},"error":null}""",
            """{"answer":null,"finish_reason":null,"error":null,"prompt_tokens":1,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[],"output_text":"a"}},"error":null}""",
            """{"answer":"a","finish_reason":"length","error":null,"prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"status":"completed","output":null}},"error":null}""",
            """{"answer":null,"finish_reason":"completed","error":null,"prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"status":"completed","output":null,"output_text":"a"}},"error":null}""",
            """{"answer":"a","finish_reason":"completed","error":null,"prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":200,"body":{"results":[1]}},"error":null}""",
            """{"answer":{"results":[1]},"finish_reason":null,"error":null,"prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":null,"error":{"code":"timeout","message":"too slow"},"fastllm":{"failure":"timeout","message":"too slow"}}""",
            """{"answer":null,"finish_reason":null,"error":"1: timeout: too slow","prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":400,"body":{"error":{"message":"no","type":"invalid_request_error"}}},"error":null}""",
            """{"answer":null,"finish_reason":null,"error":"1: invalid_request_error: no","prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
        {
            """{"custom_id":"1","response":{"status_code":400,"body":null},"error":"it broke"}""",
            """{"answer":null,"finish_reason":null,"error":"1: it broke","prompt_tokens":null,"completion_tokens":null,"cost":null}"""
        },
    };

    [Theory]
    [MemberData(nameof(Records))]
    public async Task Write_Record_HasItsColumns(string record, string row)
    {
        var layout = new TableLayout(new ColumnNames(), withId: false);

        string written = await WriteAsync(OutputKind.JsonRows, layout, layout.RowOf("1", default, RowOutcome.Read(Encoding.UTF8.GetBytes(record))));

        Assert.Equal(row + "\n", written);
    }

    [Fact]
    public async Task Write_AddedColumnInInput_IsPrefixed()
    {
        byte[][] rows = [.. ((string[])["""{"b":1.50,"answer":"gold"}""", """{"answer":"-5","a":null,"b":[1, 2]}"""]).Select(Encoding.UTF8.GetBytes)];
        var columns = new ColumnNames();
        Array.ForEach(rows, row => columns.See(row));
        RowOutcome outcome = RowOutcome.Read("""{"custom_id":"x","response":{"status_code":200,"body":{"choices":[{"message":{"content":"=A1"},"finish_reason":"stop"}]}},"error":null}"""u8.ToArray());

        Assert.Equal(
            "custom_id,b,answer,a,llm_answer,finish_reason,error,prompt_tokens,completion_tokens,cost\nx,1.50,gold,,'=A1,stop,,,,\nx,\"[1, 2]\",-5,,'=A1,stop,,,,\n",
            await Write(OutputKind.Csv, withId: true));
        Assert.Equal("b\tanswer\ta\tllm_answer\tfinish_reason\terror\tprompt_tokens\tcompletion_tokens\tcost", (await Write(OutputKind.Tsv, withId: false)).Split('\n')[0]);
        Assert.Equal(
            """{"answer":"-5","a":null,"b":[1, 2],"llm_answer":"=A1","finish_reason":"stop","error":null,"prompt_tokens":null,"completion_tokens":null,"cost":null}""",
            (await Write(OutputKind.JsonRows, withId: false)).Split('\n')[1]);

        Task<string> Write(OutputKind kind, bool withId)
        {
            var layout = new TableLayout(columns, withId);
            return WriteAsync(kind, layout, [.. rows.Select(row => layout.RowOf("x", new RowColumns(row), outcome))]);
        }
    }

    /// <summary>Writes rows as text.</summary>
    internal static async Task<string> WriteAsync(OutputKind kind, TableLayout layout, params OutputRow[] rows)
    {
        using var written = new MemoryStream();
        await using (TableWriter writer = TableWriter.Create(kind, written, layout, new TableForm(), guards: true))
        {
            foreach (OutputRow row in rows)
            {
                await writer.WriteAsync(row, TestContext.Current.CancellationToken);
            }

            await writer.EndAsync(TestContext.Current.CancellationToken);
        }

        return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(written.ToArray());
    }
}
