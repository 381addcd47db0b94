namespace ProxyKit.Caching.Disk;

/// <content>Which responses have which tags.</content>
internal sealed partial class DiskIndex
{
    /// <summary>The tags of a response that was there before the process started.</summary>
    public void SetTags(DiskEntry entry, ValueList<string> tags)
    {
        lock (_lock)
        {
            if (entry.IsStored && entry.Tags is null)
                SetTagsOf(entry, tags);
        }
    }

    public DiskEntry[] FindTag(string tag)
    {
        lock (_lock)
            return _tags.TryGetValue(tag, out var found) ? [.. found.Entries] : [];
    }

    private void SetTagsOf(DiskEntry entry, ValueList<string> names)
    {
        ClearTags(entry);
        if (names.Count == 0)
        {
            entry.Tags = [];
            return;
        }
        var tags = new List<DiskTag>(names.Count);
        foreach (var name in names)
        {
            if (!_tags.TryGetValue(name, out var tag))
                _tags.Add(name, tag = new(name));
            if (tag.Entries.Add(entry))
                tags.Add(tag);
        }
        entry.Tags = [.. tags];
    }

    private void ClearTags(DiskEntry entry)
    {
        foreach (var tag in entry.Tags ?? [])
        {
            tag.Entries.Remove(entry);
            if (tag.Entries.Count == 0)
                _tags.Remove(tag.Name);
        }
        entry.Tags = null;
    }
}
