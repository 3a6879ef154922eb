using System.Buffers.Binary;

namespace FastLLM.Simulator.Answers;

/// <summary>A 128-bit hash of a request body: its identity in the counts, and the source of its answer, latency and faults.</summary>
/// <remarks>Two multiply-and-fold lanes, some 0.1 µs for 1 KB; the same on every platform. Not for adversaries.</remarks>
internal readonly struct BodyHash(ulong high, ulong low) : IEquatable<BodyHash>
{
    private const ulong K0 = 0x9E37_79B9_7F4A_7C15, K1 = 0xD1B5_4A32_D192_ED03, K2 = 0xA076_1D64_78BD_642F, K3 = 0xE703_7ED1_A0B4_28DB;

    public ulong High { get; } = high;

    public ulong Low { get; } = low;

    /// <summary>Computes the hash of a body without <c>stream</c> and <c>stream_options</c>: a streamed answer says the same.</summary>
    public static BodyHash Of(ReadOnlySpan<byte> body) => OfBytes(body.IndexOf("\"stream"u8) < 0 ? body : StreamMembers.Remove(body));

    private static BodyHash OfBytes(ReadOnlySpan<byte> body)
    {
        ulong a = K0, b = K1;
        ReadOnlySpan<byte> rest = body;
        for (; rest.Length >= 16; rest = rest[16..])
        {
            Step(rest, ref a, ref b);
        }

        if (rest.Length > 0)
        {
            Span<byte> tail = stackalloc byte[16];
            tail.Clear();
            rest.CopyTo(tail);
            Step(tail, ref a, ref b);
        }

        ulong high = Mix(a ^ (ulong)body.Length);
        return new BodyHash(high, Mix(b + (high * K0)));
    }

    /// <summary>Draws a number from this hash and two others; equal arguments give equal numbers.</summary>
    public ulong Draw(ulong first, ulong second = 0) => Mix(Mix(Mix(first + K0) ^ High) + Mix(second + K1) + Low);

    /// <summary>Draws a fraction in [0, 1).</summary>
    public double Fraction(ulong first, ulong second = 0) => (Draw(first, second) >> 11) * (1.0 / (1UL << 53));

    public static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58_476D_1CE4_E5B9;
        x = (x ^ (x >> 27)) * 0x94D0_49BB_1331_11EB;
        return x ^ (x >> 31);
    }

    public bool Equals(BodyHash other) => High == other.High && Low == other.Low;

    public override bool Equals(object? obj) => obj is BodyHash other && Equals(other);

    public override int GetHashCode() => (int)Low;

    private static void Step(ReadOnlySpan<byte> block, ref ulong a, ref ulong b)
    {
        ulong x = BinaryPrimitives.ReadUInt64LittleEndian(block);
        ulong y = BinaryPrimitives.ReadUInt64LittleEndian(block[8..]);
        a = Fold(x ^ K2, y ^ a);
        b = Fold(y ^ K3, x ^ b);
    }

    private static ulong Fold(ulong x, ulong y)
    {
        ulong high = Math.BigMul(x, y, out ulong low);
        return high ^ low;
    }
}
