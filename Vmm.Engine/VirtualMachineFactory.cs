// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Concurrent;
using Serilog;
using Serilog.Core;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Emulation.Timers;

namespace Vmm.Engine;

/// <summary>Creates VMs over one backend.</summary>
/// <param name="backend">The hypervisor; the caller keeps it and disposes it after the VMs.</param>
/// <param name="logger">Receives the engine's messages; silent when null.</param>
public sealed class VirtualMachineFactory(IHypervisorBackend backend, ILogger? logger = null) : IVirtualMachineFactory
{
    private const int MaxNameLength = 127;

    private readonly ConcurrentDictionary<string, NameHolder> _names = new(StringComparer.Ordinal);

    /// <summary>
    /// Creates a VM; the type shows what the engine has beyond the contract.
    /// </summary>
    /// <param name="options">Name, flags and limits.</param>
    /// <returns>The VM, owned by the caller.</returns>
    /// <exception cref="VmmException">As for <see cref="IVirtualMachineFactory.Create"/>.</exception>
    public VirtualMachine Create(VirtualMachineOptions options) => Create(options, clock: null);

    /// <summary>
    /// Creates a VM whose chips have a time that is turned by hand, so that a test steps it to the nanosecond. The guest's TSC and
    /// what the hypervisor has itself stay on the host's time.
    /// </summary>
    /// <param name="options">Name, flags and limits.</param>
    /// <param name="clock">The VM's clock, for it alone; null stands for the host's. Any thread may turn it, one at a time.</param>
    /// <returns>The VM, owned by the caller.</returns>
    /// <exception cref="VmmException">As for <see cref="IVirtualMachineFactory.Create"/>.</exception>
    public VirtualMachine Create(VirtualMachineOptions options, ManualClock? clock)
    {
        ArgumentNullException.ThrowIfNull(options);
        const string Operation = "vm_create";
        if (string.IsNullOrEmpty(options.Name) || options.Name.Contains('/', StringComparison.Ordinal))
        {
            EngineThrow.Invalid(Operation, "a VM's name is not empty and has no slash");
        }

        if (options.Name.Length > MaxNameLength)
        {
            EngineThrow.Refuse(
                Operation, VmmError.ENAMETOOLONG, $"a VM's name has at most {MaxNameLength} characters, not {options.Name.Length}");
        }

        if (options.MaxCpus < 1 || options.MaxMemorySegments < 0 || options.MaxMemoryMappings < 0
            || options.MaxPortHandlers < 0)
        {
            EngineThrow.Invalid(Operation, "a VM has at least one vCPU and no negative limit");
        }

        if (!Enum.IsDefined(options.InterruptControllerMode))
        {
            EngineThrow.Invalid(Operation, $"{(int)options.InterruptControllerMode} is not a mode of interrupt controllers");
        }

        if (options.MaxCpus > backend.Description.MaxCpus)
        {
            EngineThrow.Invalid(
                Operation, $"{backend.Description.Name} has at most {backend.Description.MaxCpus} vCPUs a VM, not {options.MaxCpus}");
        }

        if ((options.Flags & CreateFlags.TrackDirty) != 0 && !backend.Description.RecordsWrittenPages)
        {
            EngineThrow.Refuse(
                Operation, VmmError.ENOTSUP, $"{backend.Description.Name} does not record written pages; leave CreateFlags.TrackDirty out");
        }

        NameHolder holder = new();
        TakeName(Operation, options.Name, holder);
        try
        {
            VirtualMachine machine = new(backend, options, logger ?? Logger.None, clock)
            {
                Destroyed = gone => _names.TryRemove(new(gone.Name, holder)),
            };
            holder.Machine = new WeakReference<VirtualMachine>(machine);
            return machine;
        }
        catch
        {
            _names.TryRemove(new(options.Name, holder));
            throw;
        }
    }

    IVirtualMachine IVirtualMachineFactory.Create(VirtualMachineOptions options) => Create(options);

    private void TakeName(string operation, string name, NameHolder holder)
    {
        while (!_names.TryAdd(name, holder))
        {
            if (_names.TryGetValue(name, out NameHolder? other))
            {
                if (other.IsThere)
                {
                    EngineThrow.Refuse(operation, VmmError.EEXIST, $"a VM is called '{name}' already");
                }

                _names.TryRemove(new(name, other));
            }
        }
    }

    /// <summary>Who has a name: a VM that is being made, or one that is there. One that its owner forgot has it no longer.</summary>
    private sealed class NameHolder
    {
        public WeakReference<VirtualMachine>? Machine { private get; set; }

        public bool IsThere => Machine is not { } machine || machine.TryGetTarget(out _);
    }
}
