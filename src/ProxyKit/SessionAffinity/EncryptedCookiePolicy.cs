using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.SessionAffinity;

/// <summary>A cookie with the encrypted key. Data protection is asked for only when a cluster uses this.</summary>
internal sealed class EncryptedCookiePolicy(IServiceProvider services, TimeProvider time) : ISessionAffinityPolicy
{
    public string Name => SessionAffinityPolicies.Cookie;

    public bool HasDataProtection => services.GetService<IDataProtectionProvider>() is not null;

    public SessionAffinityKeys CreateKeys(ClusterConfig cluster, SessionAffinityKeys? previous) =>
        new Keys(cluster, time, services.GetRequiredService<IDataProtectionProvider>().CreateProtector("ProxyKit.SessionAffinity", cluster.ClusterId.ToUpperInvariant()));

    private sealed class Keys(ClusterConfig cluster, TimeProvider time, IDataProtector protector) : CookieKeys(cluster, time)
    {
        protected override string Encode(string key) => protector.Protect(key);

        protected override string Decode(string value)
        {
            try
            {
                return protector.Unprotect(value);
            }
            catch (CryptographicException)
            {
                return ""; // forged, or the key ring has moved on
            }
        }
    }
}
