using System.Text;
using CsvHelper;
using FastLLM.Jobs.Input;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Jobs.Input;

/// <summary>Tables are split by RFC 4180, and errors have the line in which their row begins.</summary>
public sealed class TableReaderTests
{
    /// <summary>A table, and its records: line and cells, joined with |; an error begins with !.</summary>
    public static TheoryData<string, string[]> Tables => new()
    {
        { "", [] },
        { "\uFEFF", [] },
        { "\n\r\n\n", [] },
        { "a", ["1:a"] },
        { "a,b\n1,2\n", ["1:a|b", "2:1|2"] },
        { "\uFEFFa,b\r\n1,2", ["1:a|b", "2:1|2"] },
        { "a,\n,b\n,\n", ["1:a|", "2:|b", "3:|"] },
        { "007,1.50, x ,-5\n", ["1:007|1.50| x |-5"] },
        { "\"a,b\",\"say \"\"hi\"\"\"\n", ["1:a,b|say \"hi\""] },
        { "\"two\nlines\r\nand more\",x\nnext,y\n", ["1:two\nlines\r\nand more|x", "4:next|y"] },
        { "a\n\n\n\"\n\"\nb", ["1:a", "4:\n", "6:b"] },
        { "5\" pipe,it's\n", ["1:5\" pipe|it's"] },
        { "\"\"\n\"\",\n", ["1:", "2:|"] },
        { "a\rb,c\n", ["1:a\rb|c"] },
        { "\"cr\r\"\n\"cr\r\"\r\nx\r", ["1:cr\r", "2:cr\r", "3:x"] },
        { "\"a\"", ["1:a"] },
        { "é,😀\n", ["1:é|😀"] },
        { "\"a\"b,c\nd,e\n", ["!1", "2:d|e"] },
        { "\"a\" ,c\nd\n", ["!1", "2:d"] },
        { "a\n\"never\nclosed\n", ["1:a", "!2"] },
    };

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task ReadAsync_AnyReadSizes_GiveTheSameRecords(string table, string[] records)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(table);
        Assert.Equal(records, await ReadAsync(bytes, [1]));
        Assert.Equal(records, await ReadAsync(bytes, [int.MaxValue]));
        for (int split = 1; split < bytes.Length; split++)
        {
            Assert.Equal(records, await ReadAsync(bytes, [split, int.MaxValue]));
        }
    }

    [Fact]
    public async Task ReadAsync_InvalidUtf8_IsAnErrorOfItsRow()
    {
        byte[] bytes = [.. "a,b\n"u8, 0xC3, (byte)',', 0xA9, (byte)'\n', .. "\"x\ny\",2\n"u8, 0xFF, (byte)'\n', .. "last,1\n"u8];

        Assert.Equal(["1:a|b", "!2", "3:x\ny|2", "!5", "6:last|1"], await ReadAsync(bytes, [int.MaxValue]));
    }

    [Fact]
    public async Task ReadAsync_EndlessCell_Throws()
    {
        using var table = new TableReader(new EndlessStream("a,b\n\""u8.ToArray()), (byte)',');
        await table.ReadAsync(TestContext.Current.CancellationToken);

        var fault = await Assert.ThrowsAsync<InvalidDataException>(async () => await table.ReadAsync(TestContext.Current.CancellationToken));

        Assert.StartsWith("Line 2: a cell is larger than 64 MB", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadAsync_TableOfCsvHelper_HasItsCells()
    {
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(Rows().ToArbitrary(), rows =>
        {
            var text = new MemoryStream();
            using (var writer = CsvWriter.Create(text, new CsvWriterOptions(), true))
            {
                foreach (string[] row in rows)
                {
                    writer.WriteRecord(row);
                }
            }

            using var table = new TableReader(new MemoryStream(text.ToArray()), (byte)',');
            foreach (string[] row in rows)
            {
                (string[]? cells, string? error) = table.ReadAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
                Assert.Null(error);
                Assert.Equal(row, cells);
            }

            Assert.Null(table.ReadAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult().Cells);
        }));
    }

    /// <summary>Two or three cells of special characters, so that no row is blank.</summary>
    internal static Gen<string[][]> Rows()
    {
        Gen<string> cell = Gen.Elements("a", "é", "😀", "\"", ",", ";", "\t", "\n", "\r\n", "\r", " ", "=", "-", "0", "{{x}}", "\\", "\u2028", "'").ListOf()
            .Select(parts => string.Concat(parts));
        return Gen.Choose(2, 3).SelectMany(width => cell.ArrayOf(width).ListOf()).Select(rows => rows.ToArray());
    }

    private static async Task<string[]> ReadAsync(byte[] bytes, int[] pieces)
    {
        var records = new List<string>();
        using var table = new TableReader(new ChoppedStream(bytes, pieces), (byte)',');
        while (await table.ReadAsync(TestContext.Current.CancellationToken) is var (cells, error) && (cells is not null || error is not null))
        {
            records.Add(cells is null ? $"!{table.Line}" : $"{table.Line}:{string.Join('|', cells)}");
        }

        return [.. records];
    }

    /// <summary>Returns its bytes in reads of given sizes, repeatedly.</summary>
    private sealed class ChoppedStream(byte[] bytes, int[] sizes) : MemoryStream(bytes)
    {
        private int _read;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int size = Math.Min(sizes[_read++ % sizes.Length], buffer.Length);
            return base.ReadAsync(buffer[..size], cancellationToken);
        }
    }

    private sealed class EndlessStream(byte[] begin) : Stream
    {
        private bool _begun;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (!_begun)
            {
                _begun = true;
                begin.CopyTo(buffer, offset);
                return begin.Length;
            }

            buffer.AsSpan(offset, count).Fill((byte)'x');
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
