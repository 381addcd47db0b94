using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Caching;

public class CacheConfigurationTests
{
    private const string EveryKey =
        """
        {
          'Enabled': false, 'Store': 'shared',
          'Key': { 'QueryParameters': [ 'id', 'page' ], 'SortQuery': true, 'IgnoreHost': true, 'Headers': [ 'X-Tenant' ], 'Cookies': [ 'currency' ] },
          'DefaultTimeToLive': '00:01:00', 'StatusTimeToLive': { '404': '00:00:10', '3xx': '1.00:00:00' }, 'HeuristicFraction': 0.25,
          'TargetedFields': [ 'Shop-Cache-Control', 'CDN-Cache-Control' ], 'SurrogateControl': true, 'SurrogateName': 'shop', 'InvalidAgeIsStale': true,
          'StaleWhileRevalidate': '00:00:02', 'StaleIfError': '00:00:03', 'AllowClientRefresh': true, 'StoreSetCookie': true,
          'Bypass': { 'Headers': [ 'X-Preview' ], 'Cookies': [ 'wordpress_logged_in_*' ], 'QueryParameters': [ 'preview' ], 'Paths': [ '/admin' ] },
          'NoStore': { 'Headers': [ 'X-Bot' ], 'Cookies': [ 'session' ], 'QueryParameters': [ 'q' ], 'Paths': [ '/search' ] },
          'CollapseForwarding': false, 'CollapseTimeout': '00:00:04', 'UncacheableTimeToLive': '00:00:05', 'FinishWithoutClient': false,
          'MaxEntrySize': 6, 'MaxVariants': 7, 'MinUses': 8, 'IgnoreLanguageOrder': true, 'CheckContentType': false, 'CheckAcceptEncoding': false, 'TagField': 'Surrogate-Key', 'CacheStatus': false
        }
        """;

    private static void Everything(CacheOptions cache)
    {
        (cache.Enabled, cache.Store) = (false, "shared");
        cache.Key.QueryParameters = ["id", "page"];
        (cache.Key.SortQuery, cache.Key.IgnoreHost) = (true, true);
        cache.Key.Headers.Add("X-Tenant");
        cache.Key.Cookies.Add("currency");
        cache.DefaultTimeToLive = TimeSpan.FromMinutes(1);
        cache.StatusTimeToLive["404"] = TimeSpan.FromSeconds(10);
        cache.StatusTimeToLive["3xx"] = TimeSpan.FromDays(1);
        cache.HeuristicFraction = 0.25;
        cache.TargetedFields.Insert(0, "Shop-Cache-Control");
        (cache.SurrogateControl, cache.SurrogateName, cache.InvalidAgeIsStale) = (true, "shop", true);
        (cache.StaleWhileRevalidate, cache.StaleIfError) = (TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(3));
        (cache.AllowClientRefresh, cache.StoreSetCookie) = (true, true);
        cache.Bypass.Headers.Add("X-Preview");
        cache.Bypass.Cookies.Add("wordpress_logged_in_*");
        cache.Bypass.QueryParameters.Add("preview");
        cache.Bypass.Paths.Add("/admin");
        cache.NoStore.Headers.Add("X-Bot");
        cache.NoStore.Cookies.Add("session");
        cache.NoStore.QueryParameters.Add("q");
        cache.NoStore.Paths.Add("/search");
        (cache.CollapseForwarding, cache.CollapseTimeout, cache.UncacheableTimeToLive, cache.FinishWithoutClient) = (false, TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(5), false);
        (cache.MaxEntrySize, cache.MaxVariants, cache.MinUses) = (6, 7, 8);
        (cache.IgnoreLanguageOrder, cache.CheckContentType, cache.CheckAcceptEncoding, cache.TagField, cache.CacheStatus) = (true, false, false, "Surrogate-Key", false);
    }

    [Fact]
    public async Task Steps_and_JSON_say_the_same()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().AddCacheStore<SharedStore>().LoadFromConfig(Misconfigured.Json(
                $"{{'Routes':{{'json':{Route(EveryKey)},'on':{Route("{'Enabled':true}")},'none':{Route(null)}}},'Clusters':{{'c':{{'Destinations':{{'d':{{'Address':'http://a'}}}}}}}}}}")),
            app =>
            {
                app.MapReverseProxy();
                app.MapProxy("/code", "http://a").WithCache(Everything);
            });

        Assert.Equal(Of(app, "json"), Of(app, "/code"));
        Assert.Equal(new CacheConfig(), Of(app, "on"));
        Assert.Null(Of(app, "none"));
        // What this test says nothing of would be missed by the reader and the step alike.
        Assert.Empty(typeof(CacheConfig).GetProperties().Where(p => Equals(p.GetValue(Of(app, "json")), p.GetValue(new CacheConfig()))).Select(p => p.Name));
    }

    [Fact]
    public async Task A_call_without_settings_takes_the_defaults_and_a_time_is_the_default_lifetime()
    {
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy(), app =>
        {
            app.MapProxy("/plain", "http://a").WithCache();
            app.MapProxy("/time", "http://b").WithCache(TimeSpan.FromMinutes(5));
            app.MapProxy("/none", "http://c");
        });

        Assert.Equal(new CacheConfig(), Of(app, "/plain"));
        Assert.Equal(new CacheConfig { DefaultTimeToLive = TimeSpan.FromMinutes(5) }, Of(app, "/time"));
        Assert.Null(Of(app, "/none"));
    }

    [Fact]
    public async Task Calls_go_on_with_what_is_there_in_any_order()
    {
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy().AddCacheStore<SharedStore>(), app =>
        {
            app.MapProxy("/forth", "http://a").WithCache(Everything).WithCache(TimeSpan.FromMinutes(5)).WithCache(c => c.Bypass.Cookies.Add("b")).WithCache();
            app.MapProxy("/back", "http://b").WithCache().WithCache(c => c.Bypass.Cookies.Add("b")).WithCache(c =>
            {
                Everything(c);
                (c.Bypass.Cookies[0], c.Bypass.Cookies[1]) = (c.Bypass.Cookies[1], c.Bypass.Cookies[0]);
            }).WithCache(TimeSpan.FromMinutes(5));
        });

        Assert.Equal(Of(app, "/forth"), Of(app, "/back"));
        Assert.Equal(TimeSpan.FromMinutes(5), Of(app, "/forth")!.DefaultTimeToLive);
        Assert.Equal(["wordpress_logged_in_*", "b"], Of(app, "/forth")!.Bypass.Cookies);
        Assert.False(Of(app, "/forth")!.Enabled);
    }

    [Fact]
    public async Task Without_the_key_all_query_parameters_count_and_with_an_empty_list_none()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().LoadFromConfig(Misconfigured.Json(
                $"{{'Routes':{{'all':{Route("{'Key':{'SortQuery':true}}")},'none':{Route("{'Key':{'QueryParameters':[]},'TargetedFields':[],'TagField':''}")}}},'Clusters':{{'c':{{'Destinations':{{'d':{{'Address':'http://a'}}}}}}}}}}")),
            app =>
            {
                app.MapReverseProxy();
                app.MapProxy("/none", "http://a").WithCache(c =>
                {
                    c.Key.QueryParameters = [];
                    c.TargetedFields.Clear();
                    c.TagField = "";
                });
            });

        Assert.Null(Of(app, "all")!.Key.QueryParameters);
        Assert.Empty(Of(app, "none")!.Key.QueryParameters!);
        Assert.Equal(Of(app, "none"), Of(app, "/none"));
    }

    [Fact]
    public async Task An_equal_cache_is_no_change_to_a_reload_and_delegates_are_equal_when_they_are_the_same_object()
    {
        Func<HttpContext, string?> key = _ => null;
        Func<HttpContext, bool> when = _ => true;
        CacheConfig Cache(Func<HttpContext, string?> custom, TimeSpan time) => new()
        {
            Key = new() { Headers = ["X-Tenant"], Custom = custom },
            Bypass = new() { Paths = ["/admin"], When = when },
            StatusTimeToLive = new([new("404", "00:01:00")]),
            DefaultTimeToLive = time,
        };
        RouteConfig Of(CacheConfig cache) => new() { RouteId = "r", ClusterId = "c", Match = new() { Path = "/" }, Cache = cache };
        var cluster = new ClusterConfig { ClusterId = "c", Destinations = [new() { Address = "http://a" }] };
        var source = new InMemoryProxyConfigSource([Of(Cache(key, TimeSpan.FromSeconds(1)))], [cluster]);
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy().AddConfigSource(source), app => app.MapReverseProxy());
        var endpoints = app.Services.GetRequiredService<Microsoft.AspNetCore.Routing.EndpointDataSource>();
        var first = Assert.Single(endpoints.Endpoints);

        source.Update([Of(Cache(key, TimeSpan.FromSeconds(1)))], [cluster]);
        Assert.Same(first, Assert.Single(endpoints.Endpoints));

        source.Update([Of(Cache(key, TimeSpan.FromSeconds(2)))], [cluster]);
        var second = Assert.Single(endpoints.Endpoints);
        Assert.NotSame(first, second);

        source.Update([Of(Cache(_ => null, TimeSpan.FromSeconds(2)))], [cluster]);
        Assert.NotSame(second, Assert.Single(endpoints.Endpoints));
    }

    [Fact]
    public async Task Values_out_of_range_are_named_all_at_once()
    {
        var errors = await Misconfigured.ErrorsAsync(app =>
        {
            app.MapProxy("/low", "http://a").WithCache(c =>
            {
                (c.DefaultTimeToLive, c.StaleWhileRevalidate, c.StaleIfError, c.UncacheableTimeToLive) = (TimeSpan.FromSeconds(-1), TimeSpan.FromSeconds(-2), TimeSpan.FromSeconds(-3), TimeSpan.FromSeconds(-4));
                (c.CollapseTimeout, c.HeuristicFraction, c.MaxEntrySize, c.MaxVariants, c.MinUses) = (TimeSpan.Zero, -0.5, 0, 0, 0);
            });
            app.MapProxy("/high", "http://b").WithCache(c =>
                (c.CollapseTimeout, c.HeuristicFraction, c.MaxVariants, c.MinUses) = (TimeSpan.FromDays(25), double.NaN, 1001, 101));
        });

        Assert.Equal(
        [
            "Route '/low': Cache.DefaultTimeToLive is -00:00:01; it must not be negative.",
            "Route '/low': Cache.StaleWhileRevalidate is -00:00:02; it must not be negative.",
            "Route '/low': Cache.StaleIfError is -00:00:03; it must not be negative.",
            "Route '/low': Cache.UncacheableTimeToLive is -00:00:04; it must not be negative.",
            "Route '/low': Cache.CollapseTimeout is 00:00:00; it must be positive and at most 24 days.",
            "Route '/low': Cache.HeuristicFraction is -0.5; it must be 0 to 1.",
            "Route '/low': Cache.MaxEntrySize is 0; it is a number of bytes, at least 1.",
            "Route '/low': Cache.MaxVariants is 0; it must be 1 to 1000.",
            "Route '/low': Cache.MinUses is 0; it must be 1 to 100.",
            "Route '/high': Cache.CollapseTimeout is 25.00:00:00; it must be positive and at most 24 days.",
            "Route '/high': Cache.HeuristicFraction is NaN; it must be 0 to 1.",
            "Route '/high': Cache.MaxVariants is 1001; it must be 1 to 1000.",
            "Route '/high': Cache.MinUses is 101; it must be 1 to 100.",
        ], errors);
    }

    [Fact]
    public async Task The_smallest_and_the_largest_values_are_allowed()
    {
        await using var app = await ProxyApp.StartAsync(services => services.AddReverseProxy(o => (o.Cache.MaxMemory, o.Cache.MaxDisk) = (0, 0)), app =>
        {
            app.MapProxy("/low", "http://a").WithCache(c =>
            {
                (c.DefaultTimeToLive, c.StaleWhileRevalidate, c.StaleIfError, c.UncacheableTimeToLive) = (TimeSpan.Zero, TimeSpan.Zero, TimeSpan.Zero, TimeSpan.Zero);
                (c.CollapseTimeout, c.HeuristicFraction, c.MaxEntrySize, c.MaxVariants, c.MinUses) = (TimeSpan.FromTicks(1), 0, 1, 1, 1);
                c.StatusTimeToLive["200"] = TimeSpan.Zero;
            });
            app.MapProxy("/high", "http://b").WithCache(c =>
            {
                (c.DefaultTimeToLive, c.StaleWhileRevalidate, c.StaleIfError, c.UncacheableTimeToLive) = (TimeSpan.MaxValue, TimeSpan.MaxValue, TimeSpan.MaxValue, TimeSpan.MaxValue);
                (c.CollapseTimeout, c.HeuristicFraction, c.MaxEntrySize, c.MaxVariants, c.MinUses) = (TimeSpan.FromDays(24), 1, long.MaxValue, 1000, 100);
                c.StatusTimeToLive["5XX"] = TimeSpan.MaxValue;
            });
        });

        Assert.NotNull(Of(app, "/high"));
    }

    [Theory]
    [InlineData("'StatusTimeToLive':{'200':'60'}", "StatusTimeToLive: '60' for 200 is not a time such as 00:01:30, at least 0.")]
    [InlineData("'StatusTimeToLive':{'200':'soon'}", "StatusTimeToLive: 'soon' for 200 is not a time such as 00:01:30, at least 0.")]
    [InlineData("'StatusTimeToLive':{'4xx':'-00:00:01'}", "StatusTimeToLive: '-00:00:01' for 4xx is not a time such as 00:01:30, at least 0.")]
    [InlineData("'StatusTimeToLive':{'199':'00:01:00'}", "StatusTimeToLive: '199' is not a status from 200 to 599 or a class of them, such as 404 or 4xx.")]
    [InlineData("'StatusTimeToLive':{'600':'00:01:00'}", "StatusTimeToLive: '600' is not a status from 200 to 599 or a class of them, such as 404 or 4xx.")]
    [InlineData("'StatusTimeToLive':{'20x':'00:01:00'}", "StatusTimeToLive: '20x' is not a status from 200 to 599 or a class of them, such as 404 or 4xx.")]
    [InlineData("'StatusTimeToLive':{'any':'00:01:00'}", "StatusTimeToLive: 'any' is not a status from 200 to 599 or a class of them, such as 404 or 4xx.")]
    [InlineData("'TargetedFields':['A B']", "TargetedFields: 'A B' is not a field name.")]
    [InlineData("'TargetedFields':['cache-control']", "TargetedFields: 'cache-control' is heeded in any case, where no targeted field is there.")]
    [InlineData("'TargetedFields':['Surrogate-Control']", "TargetedFields: 'Surrogate-Control' is no targeted field of RFC 9213; it has a setting of its own, SurrogateControl.")]
    [InlineData("'SurrogateName':'a shop'", "SurrogateName: 'a shop' is not a token (letters, digits and !#$%&'*+-.^_`|~).")]
    [InlineData("'TagField':'Cache Tag'", "TagField: 'Cache Tag' is not a field name. Empty is none.")]
    [InlineData("'TagField':'vary'", "TagField: 'vary' has a meaning of its own, and the field with the tags is dropped; it must be one that nothing else uses, such as Cache-Tag.")]
    [InlineData("'TagField':'Content-Type'", "TagField: 'Content-Type' has a meaning of its own, and the field with the tags is dropped; it must be one that nothing else uses, such as Cache-Tag.")]
    [InlineData("'TagField':'Set-Cookie'", "TagField: 'Set-Cookie' has a meaning of its own, and the field with the tags is dropped; it must be one that nothing else uses, such as Cache-Tag.")]
    [InlineData("'TagField':'CDN-Cache-Control'", "TagField: 'CDN-Cache-Control' has a meaning of its own, and the field with the tags is dropped; it must be one that nothing else uses, such as Cache-Tag.")]
    [InlineData("'Key':{'Headers':['X Tenant']}", "Key.Headers: 'X Tenant' is not a field name.")]
    [InlineData("'Key':{'Cookies':['']}", "Key.Cookies: '' is not the name of a cookie.")]
    [InlineData("'Key':{'Cookies':['session_*']}", "Key.Cookies: 'session_*' ends in *, and only whole names are allowed here.")]
    [InlineData("'Key':{'QueryParameters':['a=b']}", "Key.QueryParameters: 'a=b' is not the name of a query parameter.")]
    [InlineData("'Key':{'QueryParameters':['p*']}", "Key.QueryParameters: 'p*' ends in *, and only whole names are allowed here.")]
    [InlineData("'Key':{'IgnoredQueryParameters':['']}", "Key.IgnoredQueryParameters: '' is not the name of a query parameter.")]
    [InlineData("'Key':{'QueryParameters':['id'],'IgnoredQueryParameters':['utm_*']}", "Key.QueryParameters (id) and Key.IgnoredQueryParameters (utm_*) exclude each other: with the first, all others are ignored.")]
    [InlineData("'Bypass':{'Headers':['X:']}", "Bypass.Headers: 'X:' is not a field name.")]
    [InlineData("'Bypass':{'Cookies':['a b']}", "Bypass.Cookies: 'a b' is not the name of a cookie.")]
    [InlineData("'Bypass':{'QueryParameters':['p*']}", "Bypass.QueryParameters: 'p*' ends in *, and only whole names are allowed here.")]
    [InlineData("'NoStore':{'Paths':['admin']}", "NoStore.Paths: 'admin' is not the beginning of a path, such as /admin.")]
    [InlineData("'NoStore':{'Paths':['/admin/*']}", "NoStore.Paths: '/admin/*' is not the beginning of a path, such as /admin.")]
    [InlineData("'Store':'Memry'", "Store 'Memry' is not known. Did you mean 'Memory'? Your own are added with AddCacheStore.")]
    public async Task Names_and_values_that_mean_nothing_are_errors(string key, string error) =>
        Assert.Equal($"Route 'r': Cache.{error}", Assert.Single(await Misconfigured.JsonErrorsAsync(Section($"{{{key}}}"))));

    [Theory]
    [InlineData("{'DefaultTtl':'00:01:00'}", "ReverseProxy:Routes:r:Cache:DefaultTtl is not a known key")]
    [InlineData("{'Kye':{}}", "ReverseProxy:Routes:r:Cache:Kye is not a known key. Did you mean 'Key'?")]
    [InlineData("{'Key':{'Header':['X']}}", "ReverseProxy:Routes:r:Cache:Key:Header is not a known key. Did you mean 'Headers'?")]
    [InlineData("{'Key':{'Headers':'X'}}", "ReverseProxy:Routes:r:Cache:Key:Headers: 'X' is one value; allowed is a list.")]
    [InlineData("{'Bypass':{'Path':['/']}}", "ReverseProxy:Routes:r:Cache:Bypass:Path is not a known key. Did you mean 'Paths'?")]
    [InlineData("{'DefaultTimeToLive':'60'}", "ReverseProxy:Routes:r:Cache:DefaultTimeToLive: '60' is not allowed; it must be a time such as 00:01:30.")]
    [InlineData("{'MaxEntrySize':'64MB'}", "ReverseProxy:Routes:r:Cache:MaxEntrySize: '64MB' is not allowed; it must be a whole number.")]
    [InlineData("{'Enabled':'on'}", "ReverseProxy:Routes:r:Cache:Enabled: 'on' is not allowed; it must be true or false.")]
    [InlineData("true", "ReverseProxy:Routes:r:Cache: 'true' is one value; allowed are keys below it.")]
    public async Task A_key_or_value_that_is_not_known_is_an_error_with_its_path(string cache, string error) =>
        Assert.StartsWith(error, (await Misconfigured.JsonErrorsAsync(Section(cache)))[0], StringComparison.OrdinalIgnoreCase);

    [Fact]
    public async Task A_time_that_is_none_survives_a_step_and_is_named()
    {
        var errors = await Misconfigured.ErrorsAsync(app =>
        {
            app.MapProxy("/kept", "http://a").ConfigureRoute(r => r with { Cache = new() { StatusTimeToLive = new([new("404", "1 minute")]) } }).WithCache();
            app.MapProxy("/mended", "http://b").ConfigureRoute(r => r with { Cache = new() { StatusTimeToLive = new([new("404", "1 minute")]) } })
                .WithCache(c => c.StatusTimeToLive["404"] = TimeSpan.FromMinutes(1));
        });

        Assert.Equal("Route '/kept': Cache.StatusTimeToLive: '1 minute' for 404 is not a time such as 00:01:30, at least 0.", Assert.Single(errors));
    }

    [Fact]
    public async Task Limits_out_of_range_are_errors_though_no_store_can_be_made_with_them()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy(o => (o.Cache.MaxMemory, o.Cache.MaxDisk, o.Cache.Directory) = (-1, -2, " ")),
            app => app.MapProxy("/", "http://a").WithCache(c => c.MinUses = 0));

        Assert.Equal(
        [
            "ReverseProxyOptions.Cache.MaxMemory is -1; it must be at least 0 bytes.",
            "ReverseProxyOptions.Cache.MaxDisk is -2; it must be at least 0 bytes.",
            "ReverseProxyOptions.Cache.Directory is empty; it must be the path of a folder.",
            "Route '/': Cache.MinUses is 0; it must be 1 to 100.",
        ], errors);
    }

    [Fact]
    public async Task The_store_Disk_needs_a_folder_where_it_is_used()
    {
        var errors = await Misconfigured.ErrorsAsync(app =>
        {
            app.MapProxy("/on", "http://a").WithCache(c => c.Store = "disk");
            app.MapProxy("/off", "http://b").WithCache(c => (c.Store, c.Enabled) = (CacheStores.Disk, false));
            app.MapProxy("/memory", "http://c").WithCache();
        });

        Assert.Equal("Route '/on': Cache.Store 'disk' needs a folder: ReverseProxyOptions.Cache.Directory.", Assert.Single(errors));
    }

    [Fact]
    public async Task A_folder_that_cannot_be_used_is_one_error_where_it_is_needed()
    {
        var file = Path.GetTempFileName(); // no folder
        try
        {
            void Use(IServiceCollection services) => services.AddReverseProxy(o => o.Cache.Directory = file);

            var errors = await Misconfigured.ErrorsAsync(Use, app =>
            {
                app.MapProxy("/one", "http://a").WithCache(c => c.Store = CacheStores.Disk);
                app.MapProxy("/two", "http://b").WithCache(c => c.Store = CacheStores.Disk);
            });
            Assert.StartsWith($"ReverseProxyOptions.Cache.Directory: '{file}' cannot hold stored responses: ", Assert.Single(errors), StringComparison.Ordinal);

            await using var app = await ProxyApp.StartAsync(Use, app => app.MapProxy("/", "http://a").WithCache());
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Two_caches_on_one_route_are_an_error_unless_this_one_is_off()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services =>
            {
                services.AddOutputCache();
                services.AddReverseProxy();
            },
            app =>
            {
                app.MapProxy("/both", "http://a").WithCache().ConfigureRoute(r => r with { OutputCachePolicy = "short" });
                app.MapProxy("/one", "http://b").WithCache(c => c.Enabled = false).ConfigureRoute(r => r with { OutputCachePolicy = "short" });
            });

        Assert.StartsWith("Route '/both': OutputCachePolicy ('short') and Cache exclude each other: ", Assert.Single(errors), StringComparison.Ordinal);
    }

    private static CacheConfig? Of(ProxyApp app, string id) => app.Services.GetRequiredService<ProxyConfigMonitor>().Routes.Single(r => r.RouteId == id).Cache;

    private static string Route(string? cache) => $"{{'ClusterId':'c','Match':{{'Path':'/{Guid.NewGuid():n}'}}{(cache is null ? "" : $",'Cache':{cache}")}}}";

    private static string Section(string cache) => $"{{'Routes':{{'r':{Route(cache)}}},'Clusters':{{'c':{{'Destinations':{{'d':{{'Address':'http://a'}}}}}}}}}}";

    /// <summary>A store that is never asked.</summary>
    private sealed class SharedStore : IProxyCacheStore
    {
        public string Name => "Shared";

        public ValueTask<IReadOnlyList<CachedResponse>> FindAsync(ReadOnlySpan<char> key, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<CacheWriter?> CreateAsync(string key, CachedResponseHead head, long? length, int maxVariants, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask UpdateAsync(string key, CachedResponse response, CachedResponseHead head, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask RemoveAsync(string key, CachedResponse response, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<long> PurgeAsync(CachePurge purge, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
