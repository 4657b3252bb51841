// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// The address spaces that translations are remembered of: PCIDs (volume 3, process-context identifiers), each with a number that fits a tag, and
/// the versions that tell blocks found by linear address apart.
/// </summary>
internal sealed class AddressSpaces
{
    /// <summary>The part of a tag that holds an address space.</summary>
    internal const ulong TagMask = (Count - 1UL) << TagShift;

    private const int Count = 64;
    private const int TagShift = 6;

    private readonly ushort[] _pcids = new ushort[Count];
    private readonly ulong[] _versions = new ulong[Count];
    private ulong _lastVersion;
    private int _used;
    private int _current;
    private int _next;
    private bool _hasLocalSupervisorCode;

    internal AddressSpaces() => Forget();

    /// <summary>The current one as a part of a tag.</summary>
    internal ulong Tag => (ulong)_current << TagShift;

    /// <summary>Changes with what user code may be found at a linear address.</summary>
    internal ulong UserVersion => _versions[_current];

    /// <summary>The same of a supervisor's code, which most often is in global pages.</summary>
    internal ulong SupervisorVersion { get; private set; }

    /// <summary>Only the current one is left, with nothing in it.</summary>
    internal void Forget()
    {
        _current = 0;
        _next = 1;
        _used = 1;
        _versions[0] = ++_lastVersion;
        SupervisorVersion = ++_lastVersion;
        _hasLocalSupervisorCode = false;
    }

    /// <summary>A supervisor's code was found in a page that is not global.</summary>
    internal void NoteLocalSupervisorCode() => _hasLocalSupervisorCode = true;

    /// <summary>Makes another one the current.</summary>
    /// <param name="from">The PCID of the current one.</param>
    /// <param name="to">The PCID of the other, or the same.</param>
    /// <param name="isKnown">Whether translations of it may exist.</param>
    internal void Switch(ushort from, ushort to, out bool isKnown)
    {
        _pcids[_current] = from;
        int found = _pcids.AsSpan(0, _used).IndexOf(to);
        isKnown = found >= 0;
        if (!isKnown)
        {
            found = _next;
            _next = found + 1 == Count ? 0 : found + 1;
            _used = Math.Max(_used, found + 1);
            _pcids[found] = to;
        }

        _current = found;
    }

    /// <summary>The address space of a PCID as a part of a tag; false where nothing is remembered of it.</summary>
    internal bool TryFind(ushort currentPcid, ushort pcid, out ulong tag)
    {
        _pcids[_current] = currentPcid;
        int found = _pcids.AsSpan(0, _used).IndexOf(pcid);
        tag = (ulong)found << TagShift;
        return found >= 0;
    }

    /// <summary>Code may have changed its place in one address space.</summary>
    internal void Renew(ulong tag)
    {
        _versions[tag >> TagShift] = ++_lastVersion;
        RenewSupervisor();
    }

    /// <summary>Code may have changed its place in all address spaces, but for global pages.</summary>
    internal void RenewAll()
    {
        for (int space = 0; space < _used; space++)
        {
            _versions[space] = ++_lastVersion;
        }

        RenewSupervisor();
    }

    /// <summary>The same after a switch that dropped nothing: a supervisor's code of the other address space is not this one's.</summary>
    internal void RenewSupervisor()
    {
        if (_hasLocalSupervisorCode)
        {
            SupervisorVersion = ++_lastVersion;
            _hasLocalSupervisorCode = false;
        }
    }

    /// <summary>Code may have changed its place everywhere, global pages included.</summary>
    internal void RenewGlobal()
    {
        _hasLocalSupervisorCode = true;
        RenewAll();
    }
}
