using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Keys;

public sealed class RequestKeyPropertyTests
{
    private static readonly Gen<int> Seeds = Gen.Choose(0, int.MaxValue);

    [Fact]
    public void Compute_EqualBodies_HaveOneKey()
    {
        var cases = from body in JsonTree.Bodies from one in Seeds from two in Seeds select (One: body.Write(one), Two: body.Write(two));

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1000), Prop.ForAll(cases.ToArbitrary(), c => Key(c.One) == Key(c.Two)));
    }

    [Fact]
    public void Compute_DifferentBodies_HaveDifferentKeys()
    {
        var cases = from body in JsonTree.Bodies from seed in Seeds select (Body: body, Seed: seed);

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll(cases.ToArbitrary(), c =>
        {
            RequestKey key = Key(c.Body.Write(c.Seed));
            foreach (JsonTree changed in c.Body.Changed())
            {
                string text = changed.Write(c.Seed);
                Assert.True(key != Key(text), $"The same key for {c.Body.Write(c.Seed)} and {text}");
            }
        }));
    }

    [Fact]
    public void Compute_AnyBytes_ReturnsKeyOrThrowsJsonException()
    {
        string[] pieces = ["{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83d", "\\ude00", "a", "\"a\":", "1", "-", ".", "e", "99999999999", "null", "true", " ", "\n", "\uFEFF", "é", "stream"];
        Gen<byte[]> noise = ArbMap.Default.GeneratorFor<byte[]>().Select(bytes => bytes ?? []);
        Gen<byte[]> nearlyJson = Gen.Elements(pieces).ListOf().Select(list => Encoding.UTF8.GetBytes("{\"a\":" + string.Concat(list)));
        Gen<byte[]> damaged =
            from body in JsonTree.Bodies
            from seed in Seeds
            from at in Gen.Choose(0, 10_000)
            from value in Gen.Choose(0, 255)
            from cut in Gen.Choose(0, 3)
            select Damage(Encoding.UTF8.GetBytes(body.Write(seed)), at, (byte)value, cut);

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(3000), Prop.ForAll(Gen.OneOf(noise, nearlyJson, damaged).ToArbitrary(), bytes =>
        {
            try
            {
                RequestKey.Compute("/v1/x", bytes);
            }
            catch (JsonException error)
            {
                Assert.Contains(" byte ", error.Message, StringComparison.Ordinal);
            }
        }));
    }

    [Fact]
    public void Compute_CanonicalForm_HasTheSameKey()
    {
        var cases = from body in JsonTree.Bodies from seed in Seeds select body.Write(seed);

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(cases.ToArbitrary(), body =>
        {
            string canonical = CanonicalJsonTests.Canonical(body);
            return canonical == CanonicalJsonTests.Canonical(canonical)
                && RequestKey.FromCanonical("/v1/x", Encoding.UTF8.GetBytes(canonical), 0) == Key(body);
        }));
    }

    private static RequestKey Key(string body) => RequestKey.Compute("/v1/x", Encoding.UTF8.GetBytes(body));

    private static byte[] Damage(byte[] body, int at, byte value, int cut)
    {
        at %= body.Length;
        body[at] = value;
        return cut == 0 ? body[..at] : body;
    }
}
