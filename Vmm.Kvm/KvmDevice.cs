// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>The state of the device: whether it can be used, and otherwise why not and what to do.</summary>
/// <param name="Path">The path that was looked at.</param>
/// <param name="Status">What became of opening it.</param>
/// <param name="Ownership">Owner, group and mode, as <c>ls -l</c> shows them; null when there is no such file.</param>
/// <param name="Problem">A sentence; empty when it is usable.</param>
/// <param name="Remedy">A sentence; empty when it is usable.</param>
public sealed record KvmDevice(string Path, KvmDeviceStatus Status, string? Ownership, string Problem, string Remedy)
{
    /// <summary>Whether guests can be run.</summary>
    public bool IsUsable => Status == KvmDeviceStatus.Usable;

    /// <summary>Looks at the device and tries to open it. Never throws for what it finds.</summary>
    /// <param name="path">The path.</param>
    /// <returns>The state.</returns>
    public static KvmDevice Inspect(string path = KvmSystemFd.DefaultPath)
    {
        ArgumentNullException.ThrowIfNull(path);
        FileNode? node = FileNode.Find(path, out int lookupError);
        if (node is null)
        {
            return lookupError == (int)VmmError.EACCES
                ? new KvmDevice(path, KvmDeviceStatus.NotPermitted, null, $"A folder above {path} may not be entered.", "Ask the host's administrator for access.")
                : Missing(path);
        }

        if (!node.IsCharacterDevice)
        {
            return new KvmDevice(
                path,
                KvmDeviceStatus.NotADevice,
                node.ToString(),
                $"{path} is {node.Kind}, not the KVM device.",
                "Pass the host's device itself in: a container that mounts a path which the host lacks gets an empty folder there.");
        }

        try
        {
            using KvmSystemFd system = KvmSystemFd.Open(path);
            return new KvmDevice(path, KvmDeviceStatus.Usable, node.ToString(), "", "");
        }
        catch (VmmException refusal)
        {
            return Refused(path, node, refusal);
        }
    }

    /// <summary>Says why a device may not be opened, and what to do.</summary>
    internal static KvmDevice NotPermitted(string path, FileNode node, ProcessIdentity who)
    {
        string problem = $"{path} belongs to {node} and this process, {who}, may not open it for reading and writing.";
        string remedy = node switch
        {
            _ when node.MayUse(who) =>
                "The file's mode would allow it, so a rule of the container forbids the device: pass it in with --device /dev/kvm (docker, podman) or through a device plugin (Kubernetes).",
            { GroupMayUse: true } =>
                $"Add the user to the group ('sudo usermod -aG {node.GroupName} $USER', then log in again); in a container, start it with --group-add {node.Group}.",
            _ => $"Give a group the device: 'sudo chgrp kvm {path} && sudo chmod 660 {path}', and add the user to that group.",
        };
        return new KvmDevice(path, KvmDeviceStatus.NotPermitted, node.ToString(), problem, remedy);
    }

    private static KvmDevice Missing(string path)
    {
        string remedy = Directory.Exists("/sys/module/kvm")
            ? "The kernel has KVM, so the device was not passed into this container: start it with --device /dev/kvm."
            : "On the host: turn virtualization on in the firmware (or nested virtualization in the cloud) and run 'sudo modprobe kvm_intel' or 'sudo modprobe kvm_amd'; in a container, pass --device /dev/kvm.";
        return new KvmDevice(path, KvmDeviceStatus.Missing, null, $"{path} does not exist.", remedy);
    }

    private static KvmDevice Refused(string path, FileNode node, VmmException refusal) => refusal.Error switch
    {
        VmmError.EACCES or VmmError.EPERM => NotPermitted(path, node, ProcessIdentity.Current()),
        VmmError.ENXIO or VmmError.ENODEV => new KvmDevice(
            path,
            KvmDeviceStatus.NotKvm,
            node.ToString(),
            $"{path} is there, but no driver is behind it.",
            "Load the host's module: 'sudo modprobe kvm_intel' or 'sudo modprobe kvm_amd'."),
        VmmError.ENOTTY or VmmError.EINVAL or VmmError.ENOTSUP => new KvmDevice(
            path, KvmDeviceStatus.NotKvm, node.ToString(), $"{path} is a device, but not KVM: {refusal.Message}.", "Give the path of the KVM device."),
        _ => new KvmDevice(
            path, KvmDeviceStatus.Failed, node.ToString(), refusal.Message, "Look into the host's kernel log."),
    };
}
