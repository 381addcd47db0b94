using System.Net;

namespace Shop.Gateway.Tests;

public class GatewayTests
{
    private static HttpResponseMessage Ok(string text) => new(HttpStatusCode.OK) { Content = new StringContent(text) };

    [Fact]
    public async Task The_catalog_sees_paths_of_its_own()
    {
        await using var gateway = new Gateway();
        gateway.Upstreams.Map("http://catalog:8080", request => Ok(request.RequestUri!.PathAndQuery));
        using var client = gateway.CreateClient();

        Assert.Equal("/shoes?size=42", await client.GetStringAsync("/catalog/shoes?size=42"));
    }

    [Fact]
    public async Task Redirects_of_the_catalog_stay_below_its_prefix()
    {
        await using var gateway = new Gateway();
        gateway.Upstreams.Map("http://catalog:8080", _ => new(HttpStatusCode.Found) { Headers = { Location = new("http://catalog:8080/new") } });
        using var client = gateway.CreateClient(new() { AllowAutoRedirect = false });

        var response = await client.GetAsync("/catalog/old");

        Assert.Equal("http://localhost/catalog/new", response.Headers.Location!.OriginalString);
    }

    [Fact]
    public async Task Orders_are_not_for_strangers()
    {
        await using var gateway = new Gateway();
        var orders = gateway.Upstreams.Map("http://orders:8080", _ => Ok("orders"));
        using var stranger = gateway.CreateClient();

        var response = await stranger.GetAsync("/orders/1");

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal(0, orders.Requests); // it was never asked
    }

    [Fact]
    public async Task A_customer_sees_their_orders()
    {
        await using var gateway = new Gateway();
        gateway.Upstreams.Map("http://orders:8080", _ => Ok("orders"));
        using var customer = gateway.CreateCustomer();

        Assert.Equal("orders", await customer.GetStringAsync("/orders/1"));
    }

    [Fact]
    public async Task A_customer_sees_a_page_of_ours_when_orders_are_down_and_orders_when_they_are_up_again()
    {
        await using var gateway = new Gateway();
        gateway.Upstreams.Map("http://orders:8080", _ => Ok("orders")).Refuse().Times(1);
        using var customer = gateway.CreateCustomer();

        var down = await customer.GetAsync("/orders/1");
        var up = await customer.GetAsync("/orders/1");

        Assert.Equal(HttpStatusCode.BadGateway, down.StatusCode);
        Assert.Contains("None of them is lost", await down.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.OK, up.StatusCode);
    }

    [Fact]
    public async Task A_customer_waits_five_seconds_for_orders_and_no_longer()
    {
        await using var gateway = new Gateway();
        var orders = gateway.Upstreams.Map("http://orders:8080", _ => Ok("orders")).Stall();
        using var customer = gateway.CreateCustomer();

        var request = customer.GetAsync("/orders/1");
        while (orders.Requests == 0)
            await Task.Yield();
        gateway.Time.Advance(TimeSpan.FromSeconds(6)); // no test waits for real

        Assert.Equal(HttpStatusCode.GatewayTimeout, (await request).StatusCode);
    }

    [Fact]
    public async Task Half_a_list_of_orders_is_an_error_not_a_shorter_list()
    {
        await using var gateway = new Gateway();
        gateway.Upstreams.Map("http://orders:8080", _ => Ok("one, two, three")).ResetAfter(8);
        using var customer = gateway.CreateCustomer();

        await Assert.ThrowsAnyAsync<Exception>(() => customer.GetStringAsync("/orders"));
    }
}
