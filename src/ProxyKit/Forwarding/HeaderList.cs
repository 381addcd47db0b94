using Microsoft.Extensions.Primitives;

namespace ProxyKit.Forwarding;

internal struct HeaderField
{
    public string Name;
    public StringValues Value;

    /// <summary>What the field is to a proxy, where the transport has looked it up already; else <see cref="HeaderRule.Unknown"/>.</summary>
    public HeaderRule Rule;
}

/// <summary>The request's header section in the order it is sent, in an array that is used again.</summary>
internal sealed class HeaderList
{
    private HeaderField[] _fields = new HeaderField[32];
    private int _count;

    public int Count => _count;

    public ReadOnlySpan<HeaderField> Fields => _fields.AsSpan(0, _count);

    /// <summary>Adds a field without looking whether there is one of that name.</summary>
    public void Add(string name, StringValues value) => Add(name, value, HeaderRule.Unknown);

    public void Add(string name, StringValues value, HeaderRule rule)
    {
        if (_count == _fields.Length)
            Array.Resize(ref _fields, _count * 2);
        ref var field = ref _fields[_count++];
        field.Name = name;
        field.Value = value;
        field.Rule = rule;
    }

    public StringValues Get(string name)
    {
        var index = IndexOf(name);
        return index < 0 ? default : _fields[index].Value;
    }

    /// <summary>The values of all fields of that name: what a peer has sent may stand in several.</summary>
    public StringValues All(string name)
    {
        StringValues all = default;
        foreach (ref readonly var field in Fields)
        {
            if (field.Name.Length == name.Length && field.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                all = StringValues.Concat(all, field.Value);
        }
        return all;
    }

    public void Set(string name, StringValues value)
    {
        var index = IndexOf(name);
        if (index < 0)
            Add(name, value);
        else
            _fields[index].Value = value;
    }

    public void Append(string name, StringValues value)
    {
        var index = IndexOf(name);
        if (index < 0)
            Add(name, value);
        else
            _fields[index].Value = StringValues.Concat(_fields[index].Value, value);
    }

    public void Remove(string name)
    {
        var index = IndexOf(name);
        if (index < 0)
            return;
        _fields.AsSpan(index + 1, _count - index - 1).CopyTo(_fields.AsSpan(index));
        _fields[--_count] = default;
    }

    public void Clear()
    {
        _fields.AsSpan(0, _count).Clear();
        _count = 0;
    }

    private int IndexOf(string name)
    {
        for (var i = 0; i < _count; i++)
        {
            var other = _fields[i].Name;
            if (ReferenceEquals(other, name) || (other.Length == name.Length && other.Equals(name, StringComparison.OrdinalIgnoreCase)))
                return i;
        }
        return -1;
    }
}
