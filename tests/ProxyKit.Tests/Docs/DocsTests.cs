using System.Collections;
using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyKit.Configuration;
using ProxyKit.Tests.Configuration;

namespace ProxyKit.Tests.Docs;

/// <summary>What README and docs/ show compiles and loads, their links lead somewhere, and nothing public is left unsaid.</summary>
public class DocsTests
{
    private static readonly string[] s_pages =
        [Repository.Path("README.md"), Repository.Path("CHANGELOG.md"), .. Directory.GetFiles(Repository.Path("docs"), "*.md", SearchOption.AllDirectories).Order()];

    private static readonly string s_docs = string.Concat(s_pages.Select(File.ReadAllText));

    private static readonly MetadataReference[] s_references =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path))];

    public static TheoryData<string> CSharp => [.. Blocks("csharp").Select(b => b.Place)];

    public static TheoryData<string> Json => [.. Blocks("json").Select(b => b.Place)];

    public static TheoryData<string> Pages => [.. s_pages.Select(p => Path.GetRelativePath(Repository.Root, p))];

    [Theory]
    [MemberData(nameof(CSharp))]
    public void Snippets_compile(string place)
    {
        var snippet = Blocks("csharp").Single(b => b.Place == place).Text;

        // The implicit usings of `dotnet new web`, and nothing else: a snippet says what it needs beside them.
        var program = new StringBuilder("""
            global using System;
            global using System.Collections.Generic;
            global using System.IO;
            global using System.Linq;
            global using System.Net.Http;
            global using System.Net.Http.Json;
            global using System.Threading;
            global using System.Threading.Tasks;
            global using Microsoft.AspNetCore.Builder;
            global using Microsoft.AspNetCore.Hosting;
            global using Microsoft.AspNetCore.Http;
            global using Microsoft.AspNetCore.Routing;
            global using Microsoft.Extensions.Configuration;
            global using Microsoft.Extensions.DependencyInjection;
            global using Microsoft.Extensions.Hosting;
            global using Microsoft.Extensions.Logging;

            """);
        foreach (Match directive in Regex.Matches(snippet, @"^using [\w.]+;\r?\n", RegexOptions.Multiline))
            program.Append(directive.Value);
        if (!snippet.Contains("WebApplication.Create", StringComparison.Ordinal))
            program.AppendLine("var builder = WebApplication.CreateBuilder(); var services = builder.Services; var app = builder.Build();");
        program.Append(Regex.Replace(snippet, @"^using [\w.]+;\r?\n", "", RegexOptions.Multiline));
        var compilation = CSharpCompilation.Create(
            "Snippet", [CSharpSyntaxTree.ParseText(program.ToString())], s_references,
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));

        Assert.Empty(compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => d.ToString()));
    }

    [Theory]
    [MemberData(nameof(Json))]
    public async Task Configuration_validates_and_loads(string place)
    {
        var json = Blocks("json").Single(b => b.Place == place).Text;
        var section = JsonNode.Parse(json, documentOptions: new() { CommentHandling = JsonCommentHandling.Skip })!["ReverseProxy"]!.AsObject();

        Assert.Empty(await SchemaTests.ValidateAsync(section));

        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().LoadFromConfig(
                    new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build().GetSection("ReverseProxy"));
                services.AddProxyTestDestinations(new()); // health checks must not reach out
            },
            app => app.MapReverseProxy());
        Assert.NotEmpty(app.Services.GetRequiredService<ProxyConfigMonitor>().Routes);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_lead_somewhere(string page)
    {
        var path = Repository.Path(page);
        foreach (Match link in Regex.Matches(WithoutCode(File.ReadAllText(path)), @"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)"))
        {
            var target = link.Groups[1].Length == 0 ? path : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, link.Groups[1].Value));
            Assert.True(File.Exists(target), $"{page}: {link.Value}");
            if (link.Groups[2].Success)
                Assert.Contains(link.Groups[2].Value, Regex.Matches(File.ReadAllText(target), "^#+ (.*)$", RegexOptions.Multiline)
                    .Select(h => Regex.Replace(h.Groups[1].Value.ToLowerInvariant(), "[^a-z0-9 -]", "").Trim().Replace(' ', '-')));
        }
    }

    [Fact]
    public void Everything_public_is_said_somewhere()
    {
        var assembly = typeof(RouteConfig).Assembly;
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var type in assembly.GetExportedTypes().Where(t => !t.IsNested))
        {
            // Extension methods are said by their own names.
            if (type is { IsAbstract: true, IsSealed: true })
                names.UnionWith(type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly).Where(m => m.DeclaringType != typeof(ValueList)).Select(m => m.Name));
            else
                names.Add(type.Name.Split('`')[0]);
        }
        foreach (var type in new[] { typeof(TransformBuilder), typeof(ReverseProxyBuilder), typeof(ReverseProxyOptions), typeof(ProxyKit.Testing.TestDestination), typeof(TimeoutConfig) })
            names.UnionWith(type.GetMembers(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Where(m => m is PropertyInfo or MethodInfo { IsSpecialName: false }).Select(m => m.Name));
        foreach (var type in new[] { typeof(ProxyError), typeof(ForwardedHeaderAction), typeof(ResponseCondition), typeof(HeaderMatchMode), typeof(QueryParameterMatchMode), typeof(UnderscoreHeaders), typeof(PathForwarding) })
            names.UnionWith(Enum.GetNames(type));
        names.ExceptWith(["Services", "ToString", "Equals", "GetHashCode", "<Clone>$"]);

        var unsaid = names.Where(name => !Regex.IsMatch(s_docs, $@"\b{Regex.Escape(name)}\b")).ToArray();
        Assert.Empty(unsaid);
    }

    [Fact]
    public void Every_key_of_the_configuration_is_in_its_page()
    {
        var page = File.ReadAllText(Repository.Path("docs", "configuration.md"));
        var keys = SchemaTests.Records.SelectMany(row => row.Data.Item2.GetProperties(BindingFlags.Public | BindingFlags.Instance)).Select(p => p.Name).Distinct();

        var unsaid = keys.Where(key => !page.Contains($"`{key}`", StringComparison.Ordinal)).ToArray();
        Assert.Empty(unsaid);
    }

    [Fact]
    public void Every_transform_key_is_in_its_page()
    {
        var page = File.ReadAllText(Repository.Path("docs", "transforms.md"));
        var table = (IEnumerable)typeof(TransformReader).GetField("s_transforms", BindingFlags.Static | BindingFlags.NonPublic)!.GetValue(null)!;
        var keys = table.Cast<(string Key, Func<SectionReader, Transform?> Read)>().Select(t => t.Key);

        var unsaid = keys.Where(key => !page.Contains($"`{key}`", StringComparison.Ordinal)).ToArray();
        Assert.Empty(unsaid);
    }

    [Fact]
    public async Task Every_instrument_and_log_message_is_in_its_page()
    {
        var page = File.ReadAllText(Repository.Path("docs", "observability.md"));
        var expected = new List<string>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, _) => { if (instrument.Meter.Name == "ProxyKit") expected.Add($"| `{instrument.Name}` |"); } };
        listener.Start();
        await using var app = await ProxyApp.StartAsync(_ => new());
        Assert.NotEmpty(expected);

        foreach (var message in typeof(RouteConfig).Assembly.GetTypes().SelectMany(t => t.GetMethods(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            .Select(m => m.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>())
        {
            if (message.EventName == "AccessLog")
                expected.AddRange(Regex.Matches(message.Message, @"\{(\w+)").Select(m => $"`{m.Groups[1].Value}`"));
            else
                expected.Add($"| {message.EventId} | `{message.EventName}` | {message.Level} |");
        }
        var unsaid = expected.Where(text => !page.Contains(text, StringComparison.Ordinal)).ToArray();
        Assert.Empty(unsaid);
    }

    [Fact]
    public void Every_page_ends_with_what_not_to_do()
    {
        foreach (var page in Directory.GetFiles(Repository.Path("docs"), "*.md"))
            Assert.Equal("## Don't", Regex.Matches(WithoutCode(File.ReadAllText(page)), "^## .*$", RegexOptions.Multiline).Last().Value.Trim());
    }

    private static string WithoutCode(string markdown) => Regex.Replace(markdown, "^```.*?^```", "", RegexOptions.Singleline | RegexOptions.Multiline);

    private static IEnumerable<(string Place, string Text)> Blocks(string language)
    {
        foreach (var page in s_pages)
        {
            var text = File.ReadAllText(page);
            foreach (Match block in Regex.Matches(text, $"^```{language}\r?\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline))
                yield return ($"{Path.GetRelativePath(Repository.Root, page)}:{text.AsSpan(0, block.Index).Count('\n') + 1}", block.Groups[1].Value);
        }
    }
}
