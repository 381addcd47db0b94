using System.Net;
using Microsoft.Extensions.Options;

namespace ProxyKit.DnsSrv;

internal sealed class DnsSrvOptionsValidator : IValidateOptions<DnsSrvOptions>
{
    public ValidateOptionsResult Validate(string? name, DnsSrvOptions options)
    {
        var errors = options.NameServers.Where(s => !IPEndPoint.TryParse(s, out _))
            .Select(s => $"{nameof(DnsSrvOptions)}.{nameof(options.NameServers)}: '{s}' is not an IP address, with a port if wanted.").ToList();
        if (options.MinRefreshInterval < TimeSpan.FromSeconds(1) || options.MaxRefreshInterval > TimeSpan.FromDays(1) || options.MinRefreshInterval > options.MaxRefreshInterval)
            errors.Add($"{nameof(DnsSrvOptions)}.{nameof(options.MinRefreshInterval)} is {options.MinRefreshInterval} and {nameof(options.MaxRefreshInterval)} is {options.MaxRefreshInterval}; "
                + "they must be 1 second to 1 day, the first not longer than the second.");
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
