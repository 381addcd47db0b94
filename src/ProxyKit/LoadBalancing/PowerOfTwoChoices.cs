namespace ProxyKit.LoadBalancing;

/// <summary>Of two destinations taken at random, the one that is answering fewer requests.</summary>
internal static class PowerOfTwoChoices
{
    public static Destination? Pick(Destination[] destinations)
    {
        switch (destinations.Length)
        {
            case 0:
                return null;
            case 1:
                return destinations[0];
            default:
                var first = Random.Shared.Next(destinations.Length);
                var second = Random.Shared.Next(destinations.Length - 1);
                if (second >= first)
                    second++;
                return destinations[first].ActiveRequests <= destinations[second].ActiveRequests ? destinations[first] : destinations[second];
        }
    }
}
