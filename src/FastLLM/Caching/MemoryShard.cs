using System.Runtime.InteropServices;

namespace FastLLM.Caching;

/// <summary>Represents a part of the memory cache with its own lock.</summary>
internal sealed class MemoryShard(long? sizeLimit)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<RequestKey, Slot> _entries = [];
    private readonly Queue<(RequestKey Key, string Scope, long Stamp)>? _byAge = sizeLimit is null ? null : new();
    private long _stamp;
    private long _count;
    private long _size;
    private long _evicted;

    public long Count => Volatile.Read(ref _count);

    public long Size => Volatile.Read(ref _size);

    public long Evicted => Volatile.Read(ref _evicted);

    public CacheEntry? Find(RequestKey key, string? scope)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out Slot slot))
            {
                return null;
            }

            if (scope is null || slot.Entry.Scope == scope)
            {
                return slot.Entry;
            }

            for (Other? other = slot.Others; other is not null; other = other.Next)
            {
                if (other.Entry.Scope == scope)
                {
                    return other.Entry;
                }
            }

            return null;
        }
    }

    public void Put(RequestKey key, CacheEntry entry)
    {
        if (entry.Body.Length > sizeLimit)
        {
            Remove(key, entry.Scope);
            return;
        }

        lock (_gate)
        {
            ref Slot slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, key, out bool exists);
            Put(ref slot, exists, entry);
            Evict(key, entry.Scope, ++_stamp);
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            _entries.Clear();
            _byAge?.Clear();
            _count = 0;
            _size = 0;
        }
    }

    private void Put(ref Slot slot, bool exists, CacheEntry entry)
    {
        if (exists && slot.Entry.Scope != entry.Scope)
        {
            // Rare: the same request to another endpoint, stored beside the first.
            Other? other = slot.Others;
            while (other is not null && other.Entry.Scope != entry.Scope)
            {
                other = other.Next;
            }

            Account(other?.Entry, entry);
            if (other is null)
            {
                slot.Others = new Other { Next = slot.Others, Entry = entry, Stamp = _stamp + 1 };
            }
            else
            {
                other.Entry = entry;
                other.Stamp = _stamp + 1;
            }

            return;
        }

        Account(exists ? slot.Entry : null, entry);
        slot.Entry = entry;
        slot.Stamp = _stamp + 1;
    }

    private void Account(CacheEntry? replaced, CacheEntry entry)
    {
        _size += entry.Body.Length - (replaced?.Body.Length ?? 0);
        _count += replaced is null ? 1 : 0;
    }

    private void Evict(RequestKey key, string scope, long stamp)
    {
        if (_byAge is null)
        {
            return;
        }

        _byAge.Enqueue((key, scope, stamp));
        if (_byAge.Count > 64 + (2 * _count))
        {
            ForgetReplaced(_byAge);
        }

        while (_size > sizeLimit && _byAge.TryDequeue(out (RequestKey Key, string Scope, long Stamp) oldest))
        {
            // A replaced entry is in the queue twice; only its newest place counts.
            if (RemoveLocked(oldest.Key, oldest.Scope, oldest.Stamp))
            {
                _evicted++;
            }
        }
    }

    // Entries that are replaced many times must not make the queue much longer than the table.
    private void ForgetReplaced(Queue<(RequestKey Key, string Scope, long Stamp)> byAge)
    {
        for (int left = byAge.Count; left > 0; left--)
        {
            (RequestKey Key, string Scope, long Stamp) place = byAge.Dequeue();
            if (IsNewest(place.Key, place.Scope, place.Stamp))
            {
                byAge.Enqueue(place);
            }
        }
    }

    private bool IsNewest(RequestKey key, string scope, long stamp)
    {
        if (!_entries.TryGetValue(key, out Slot slot))
        {
            return false;
        }

        if (slot.Entry.Scope == scope)
        {
            return slot.Stamp == stamp;
        }

        for (Other? other = slot.Others; other is not null; other = other.Next)
        {
            if (other.Entry.Scope == scope)
            {
                return other.Stamp == stamp;
            }
        }

        return false;
    }

    private void Remove(RequestKey key, string scope)
    {
        lock (_gate)
        {
            RemoveLocked(key, scope, stamp: null);
        }
    }

    private bool RemoveLocked(RequestKey key, string scope, long? stamp)
    {
        ref Slot slot = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, key);
        if (System.Runtime.CompilerServices.Unsafe.IsNullRef(ref slot))
        {
            return false;
        }

        if (slot.Entry.Scope == scope)
        {
            if (stamp is not null && slot.Stamp != stamp)
            {
                return false;
            }

            Forget(slot.Entry);
            if (slot.Others is { } heir)
            {
                slot = new Slot { Entry = heir.Entry, Stamp = heir.Stamp, Others = heir.Next };
            }
            else
            {
                _entries.Remove(key);
            }

            return true;
        }

        Other? before = null;
        for (Other? other = slot.Others; other is not null; before = other, other = other.Next)
        {
            if (other.Entry.Scope != scope)
            {
                continue;
            }

            if (stamp is not null && other.Stamp != stamp)
            {
                return false;
            }

            Forget(other.Entry);
            if (before is null)
            {
                slot.Others = other.Next;
            }
            else
            {
                before.Next = other.Next;
            }

            return true;
        }

        return false;
    }

    private void Forget(CacheEntry entry)
    {
        _size -= entry.Body.Length;
        _count--;
    }

    // A key usually has one scope: its entry is stored in the table itself, to save a million objects for a million entries.
    private struct Slot
    {
        public CacheEntry Entry;
        public long Stamp;
        public Other? Others;
    }

    private sealed class Other
    {
        public CacheEntry Entry;
        public long Stamp;
        public Other? Next;
    }
}
