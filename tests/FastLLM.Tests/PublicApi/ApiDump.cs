using System.Globalization;
using System.Reflection;
using System.Text;

namespace FastLLM.Tests.PublicApi;

/// <summary>Writes the public surface of an assembly as text, one line a member, in an order that does not change.</summary>
internal static class ApiDump
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly NullabilityInfoContext s_nullability = new();

    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            string kind = type.IsEnum ? "enum" : type.IsValueType ? "struct" : type.IsInterface ? "interface" : type.IsAbstract && type.IsSealed ? "static class"
                : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";
            IEnumerable<string> bases = type.GetInterfaces().Where(i => i.IsPublic).Select(Name).Order(StringComparer.Ordinal);
            bases = type.BaseType is { } parent && parent != typeof(object) && !type.IsValueType ? bases.Prepend(Name(parent)) : bases;
            text.Append(kind).Append(' ').Append(type.Namespace).Append('.').Append(Name(type)).Append(bases.Any() && !type.IsEnum ? " : " + string.Join(", ", bases) : "").Append('\n');
            foreach (string line in type.GetMembers(All).Select(Line).OfType<string>().Order(StringComparer.Ordinal))
            {
                text.Append("    ").Append(line).Append('\n');
            }
        }

        return text.ToString();
    }

    private static string? Line(MemberInfo member) => member switch
    {
        FieldInfo { IsPublic: true, IsLiteral: true } field when field.DeclaringType!.IsEnum => $"{field.Name} = {Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture)}",
        FieldInfo field when field.IsPublic || field.IsFamily => $"field {(field.IsLiteral ? $"const {Name(field.FieldType)} {field.Name} = {Value(field.GetRawConstantValue())}" : $"{Name(field.FieldType)} {field.Name}")}",
        PropertyInfo property when Access(property.GetMethod) is { } access => $"{access}{Annotated(property.PropertyType, s_nullability.Create(property).ReadState)} {property.Name}"
            + $"{(property.GetIndexParameters() is { Length: > 0 } index ? $"[{string.Join(", ", index.Select(Parameter))}]" : "")} {{ get;{Setter(property)} }}",
        ConstructorInfo constructor when Access(constructor) is { } access => $"{access}new({string.Join(", ", constructor.GetParameters().Select(Parameter))})",
        MethodInfo method when Access(method) is { } access && (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal)) =>
            $"{access}{Annotated(method.ReturnType, s_nullability.Create(method.ReturnParameter).ReadState)} {method.Name}"
            + $"{(method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "")}({string.Join(", ", method.GetParameters().Select(Parameter))})",
        _ => null,
    };

    private static string? Access(MethodBase? method) => method is null || !(method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly) || method.Name.Contains('$', StringComparison.Ordinal) ? null
        : (method.IsPublic ? "" : "protected ") + (method.IsStatic ? "static " : method.IsConstructor || !method.IsVirtual || method.IsFinal ? ""
            : method.IsAbstract ? "abstract " : method.Attributes.HasFlag(MethodAttributes.NewSlot) ? "virtual " : "override ");

    private static string Setter(PropertyInfo property) => Access(property.SetMethod) is null ? ""
        : property.SetMethod!.ReturnParameter.GetRequiredCustomModifiers().Any(modifier => modifier.Name == "IsExternalInit") ? " init;" : " set;";

    private static string Parameter(ParameterInfo parameter) =>
        $"{(parameter.IsOut ? "out " : parameter.ParameterType.IsByRef ? "ref " : "")}{Annotated(parameter.ParameterType, s_nullability.Create(parameter).WriteState)} {parameter.Name}{(parameter.HasDefaultValue ? $" = {Value(parameter.RawDefaultValue)}" : "")}";

    private static string Value(object? value) => value switch
    {
        null => "default",
        string text => $"\"{text}\"",
        bool truth => truth ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Annotated(Type type, NullabilityState state) => Name(type) + (state == NullabilityState.Nullable && !(type.IsValueType || Nullable.GetUnderlyingType(type) is not null) ? "?" : "");

    private static string Name(Type type) => type switch
    {
        { IsByRef: true } => Name(type.GetElementType()!),
        { IsArray: true } => Name(type.GetElementType()!) + "[]",
        _ when Nullable.GetUnderlyingType(type) is { } value => Name(value) + "?",
        { IsGenericType: true } => $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>",
        _ => type.Name,
    };
}
