namespace ProxyKit.Tests.Configuration;

/// <summary>A key or value that is not known is an error with its full path and the nearest name that is.</summary>
public class StrictKeysTests
{
    [Theory]
    [InlineData("{'Ruotes':{}}", "ReverseProxy:Ruotes is not a known key. Did you mean 'Routes'?")]
    [InlineData("{'Clusters':{'c':{'LoadBalancngPolicy':'x'}}}", "ReverseProxy:Clusters:c:LoadBalancngPolicy is not a known key")]
    [InlineData("{'Clusters':{'c':{'Destinations':{'d':{'Address':'http://a','Adress':'http://b'}}}}}", "ReverseProxy:Clusters:c:Destinations:d:Adress is not a known key. Did you mean 'Address'?")]
    [InlineData("{'Clusters':{'c':{'Destinations':{'d':{'Host':'a'}}}}}", "ReverseProxy:Clusters:c:Destinations:d:Address is missing.")]
    [InlineData("{'Clusters':{'c':{'HttpClient':{'MaxConnectionsPerServer':'many'}}}}", "ReverseProxy:Clusters:c:HttpClient:MaxConnectionsPerServer: 'many' is not allowed; it must be a whole number.")]
    [InlineData("{'Clusters':{'c':{'HttpClient':{'EnableMultipleHttp2Connections':'yes'}}}}", "EnableMultipleHttp2Connections: 'yes' is not allowed; it must be true or false.")]
    [InlineData("{'Clusters':{'c':{'HttpClient':{'SslProtocols':['Tls99']}}}}", "ReverseProxy:Clusters:c:HttpClient:SslProtocols: 'Tls99' is not allowed")]
    [InlineData("{'Clusters':{'c':{'HttpClient':{'WebProxy':{'BypassOnLocal':true}}}}}", "ReverseProxy:Clusters:c:HttpClient:WebProxy:Address is missing.")]
    [InlineData("{'Clusters':{'c':{'HttpClient':{'WebProxy':{'Address':'proxy'}}}}}", "ReverseProxy:Clusters:c:HttpClient:WebProxy:Address: 'proxy' is not allowed; it must be an absolute URI.")]
    [InlineData("{'Clusters':{'c':{'HttpRequest':{'Version':'two'}}}}", "HttpRequest:Version: 'two' is not allowed; it must be 1.0, 1.1, 2 or 3.")]
    [InlineData("{'Clusters':{'c':{'HttpRequest':{'VersionPolicy':'Exact'}}}}", "VersionPolicy: 'Exact' is not allowed; it must be RequestVersionOrLower, RequestVersionOrHigher, RequestVersionExact.")]
    [InlineData("{'Clusters':{'c':{'HttpRequest':{'VersionPolicy':'1'}}}}", "VersionPolicy: '1' is not allowed")]
    [InlineData("{'Clusters':{'c':{'Timeouts':{'Idle':'ten seconds'}}}}", "ReverseProxy:Clusters:c:Timeouts:Idle: 'ten seconds' is not allowed; it must be a time such as 00:01:30.")]
    [InlineData("{'Clusters':{'c':{'HttpClient':'fast'}}}", "ReverseProxy:Clusters:c:HttpClient: 'fast' is one value; allowed are keys below it.")]
    [InlineData("{'Clusters':{'c':{'Destinations':'http://a'}}}", "ReverseProxy:Clusters:c:Destinations: 'http://a' is one value; allowed are keys below it.")]
    [InlineData("{'Clusters':{'c':{'Metadata':'x'}}}", "ReverseProxy:Clusters:c:Metadata: 'x' is one value; allowed are keys below it.")]
    [InlineData("{'Clusters':{'c':'http://a'}}", "ReverseProxy:Clusters:c: 'http://a' is one value; allowed are keys below it.")]
    public async Task In_clusters(string json, string expected) => Assert.Contains(expected, (await Misconfigured.JsonErrorsAsync(json))[0], StringComparison.Ordinal);

    [Theory]
    [InlineData("'AuthorizationPolice':'x'", "ReverseProxy:Routes:r:AuthorizationPolice is not a known key. Did you mean 'AuthorizationPolicy'?")]
    [InlineData("'AuthorizationPolicy':{'Name':'x'}", "ReverseProxy:Routes:r:AuthorizationPolicy holds keys; allowed is one value.")]
    [InlineData("'Timeout':['00:00:01']", "ReverseProxy:Routes:r:Timeout holds keys; allowed is one value.")]
    [InlineData("'Order':'first'", "ReverseProxy:Routes:r:Order: 'first' is not allowed; it must be a whole number.")]
    [InlineData("'Order':1.5", "ReverseProxy:Routes:r:Order: '1.5' is not allowed; it must be a whole number.")]
    [InlineData("'Timeout':'1 minute'", "ReverseProxy:Routes:r:Timeout: '1 minute' is not allowed; it must be a time such as 00:01:30.")]
    [InlineData("'MaxRequestBodySize':'1MB'", "ReverseProxy:Routes:r:MaxRequestBodySize: '1MB' is not allowed; it must be a whole number.")]
    [InlineData("'Match':{'Path':'/','Headers':[{'Name':'a','Mode':'Exist'}]}", "ReverseProxy:Routes:r:Match:Headers:0:Mode: 'Exist' is not allowed; it must be ExactHeader, HeaderPrefix, Contains, NotContains, Exists, NotExists.")]
    [InlineData("'Match':{'Path':'/','QueryParameters':[{'Mode':'Exists'}]}", "ReverseProxy:Routes:r:Match:QueryParameters:0:Name is missing.")]
    [InlineData("'Match':{'Path':'/','Methods':'GET'}", "ReverseProxy:Routes:r:Match:Methods: 'GET' is one value; allowed is a list.")]
    [InlineData("'Match':{'Path':'/','Host':'a'}", "ReverseProxy:Routes:r:Match:Host is not a known key. Did you mean 'Hosts'?")]
    [InlineData("'Transforms':[{'PathPrefx':'/a'}]", "ReverseProxy:Routes:r:Transforms:0: 'PathPrefx' is not a transform. Did you mean 'PathPrefix'?")]
    [InlineData("'Transforms':[{'PathPrefix':'/a','PathSet':'/b'}]", "ReverseProxy:Routes:r:Transforms:0:PathSet is not a known key")]
    [InlineData("'Transforms':[{'RequestHeader':'X-A'}]", "ReverseProxy:Routes:r:Transforms:0 needs either Set or Append.")]
    [InlineData("'Transforms':[{'RequestHeader':'X-A','Set':'a','Append':'b'}]", "ReverseProxy:Routes:r:Transforms:0 needs either Set or Append.")]
    [InlineData("'Transforms':[{'ResponseHeader':'X-A','Set':'a','When':'Sometimes'}]", "ReverseProxy:Routes:r:Transforms:0:When: 'Sometimes' is not allowed; it must be Success, Always, Failure.")]
    [InlineData("'Transforms':[{'HttpMethodChange':'GET'}]", "ReverseProxy:Routes:r:Transforms:0:Set is missing.")]
    [InlineData("'Transforms':[{'RequestHeadersCopy':'maybe'}]", "ReverseProxy:Routes:r:Transforms:0:RequestHeadersCopy: 'maybe' is not allowed; it must be true or false.")]
    [InlineData("'Transforms':[{'PathPattern':'/{x'}]", "ReverseProxy:Routes:r:Transforms:0:PathPattern: '/{x' is not a route pattern")]
    [InlineData("'Transforms':[{'X-Forwarded':'Add'}]", "ReverseProxy:Routes:r:Transforms:0:X-Forwarded: 'Add' is not allowed; it must be Append, Set, Remove, Off.")]
    [InlineData("'Transforms':[{'Forwarded':'for,prot'}]", "ReverseProxy:Routes:r:Transforms:0:Forwarded: 'prot' is not allowed; it must be for, by, host, proto.")]
    [InlineData("'Transforms':[{'Forwarded':'for','ForFormat':'IP6'}]", "ReverseProxy:Routes:r:Transforms:0:ForFormat: 'IP6' is not allowed")]
    [InlineData("'Transforms':'PathPrefix'", "ReverseProxy:Routes:r:Transforms: 'PathPrefix' is one value; allowed are keys below it.")]
    public async Task In_routes(string key, string expected)
    {
        var match = key.StartsWith("'Match'", StringComparison.Ordinal) ? "" : "'Match':{'Path':'/'},";

        var errors = await Misconfigured.JsonErrorsAsync($"{{'Routes':{{'r':{{'ClusterId':'c',{match}{key}}}}},'Clusters':{{'c':{{}}}}}}");

        Assert.Contains(expected, errors[0], StringComparison.Ordinal);
        Assert.DoesNotContain(errors.Skip(1), e => e.StartsWith("ReverseProxy:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_route_without_cluster_or_match_is_told_both() =>
        Assert.Equal(
            ["Route 'r' names no cluster: ClusterId is required.", "Route 'r': Match needs a Path, Hosts, or both."],
            await Misconfigured.JsonErrorsAsync("{'Routes':{'r':{'Order':'1'}}}"));

    [Fact]
    public async Task Errors_of_all_parts_come_together() =>
        Assert.Equal(4, (await Misconfigured.JsonErrorsAsync("{'Routes':{'r':{'ClusterId':'x','Match':{'Path':'/'},'Foo':'1'}},'Clusters':{'c':{'Destinations':{'d':{'Address':'tcp://a'}},'Bar':'2'}}}")).Count);
}
