using System.Xml.Linq;
using Xunit;

namespace FastLLM.Tests.Caching;

public sealed class PackageReferenceTests
{
    // The pins of this repository do not reach a program outside of it: it gets the versions that the project itself references.
    [Fact]
    public void Assembly_EachReferencedAssembly_IsReferencedByTheProject()
    {
        string project = Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "src", "FastLLM", "FastLLM.csproj");
        IEnumerable<string> referenced = XDocument.Load(project).Descendants("PackageReference").Select(reference => reference.Attribute("Include")!.Value);

        IEnumerable<string> used = typeof(LlmRequest).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name!)
            .Where(name => !name.StartsWith("System.", StringComparison.Ordinal) && name != "Microsoft.Win32.Primitives");

        Assert.Empty(used.Except(referenced));
    }
}
