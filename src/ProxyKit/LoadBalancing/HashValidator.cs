using ProxyKit.Configuration;

namespace ProxyKit.LoadBalancing;

internal static class HashValidator
{
    public static void Validate(string where, ClusterConfig cluster, List<string> errors)
    {
        if (cluster.Hash is not { } hash)
            return;
        if (!cluster.LoadBalancingPolicy.Equals(LoadBalancingPolicies.Hash, StringComparison.OrdinalIgnoreCase))
            errors.Add($"{where}: Hash has no effect with the LoadBalancingPolicy '{cluster.LoadBalancingPolicy}'. Set that to Hash, or remove Hash.");
        var isNamed = hash.Source is HashSource.Header or HashSource.Cookie or HashSource.Query;
        if (!Enum.IsDefined(hash.Source))
            errors.Add($"{where}: Hash.Source is {hash.Source}; it must be {string.Join(", ", Enum.GetNames<HashSource>())}.");
        else if (hash.Key is not null && (hash.Source != default || hash.Name is not null))
            errors.Add($"{where}: Hash.Key takes the place of Hash.Source ({hash.Source}) and Hash.Name ('{hash.Name}'). Give only one.");
        else if (isNamed && string.IsNullOrEmpty(hash.Name))
            errors.Add($"{where}: Hash.Source {hash.Source} needs the Name of the {hash.Source.ToString().ToLowerInvariant()}.");
        else if (!isNamed && hash.Name is not null)
            errors.Add($"{where}: Hash.Name ('{hash.Name}') has no effect with the Source {hash.Source}. It goes with Header, Cookie and Query.");
        else if (hash.Source is HashSource.Header && !Tokens.IsToken(hash.Name!))
            errors.Add($"{where}: Hash.Name: '{hash.Name}' is not a header name.");
        if (hash.BoundedLoadFactor is { } factor && !(factor is > 1 and <= 10))
            errors.Add($"{where}: Hash.BoundedLoadFactor is {factor.ToString(System.Globalization.CultureInfo.InvariantCulture)}; it must be more than 1 and at most 10, such as 1.25 for a quarter more than its share.");
    }
}
