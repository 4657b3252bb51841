// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Kvm;
using Vmm.Kvm.Interop;

namespace Vmm.Tests.Kvm;

/// <summary>Why a device cannot be used; the permissions are made up, as a test that runs as root is refused nothing.</summary>
public sealed class KvmDeviceTests
{
    private const string Path = "/dev/kvm";
    private const uint CharacterDevice = 0x2000;
    private const uint Unnamed = 54321;

    [Test]
    public void Missing_device_is_said_to_be_missing()
    {
        KvmDevice device = KvmDevice.Inspect("/nonexistent/kvm");

        device.Status.Should().Be(KvmDeviceStatus.Missing);
        device.IsUsable.Should().BeFalse();
        device.Remedy.Should().Contain("--device /dev/kvm");
    }

    [TestCase("/", "a folder")]
    [TestCase("/etc/passwd", "a regular file")]
    public void File_of_another_kind_is_named(string path, string kind)
    {
        KvmDevice device = KvmDevice.Inspect(path);

        device.Status.Should().Be(KvmDeviceStatus.NotADevice);
        device.Problem.Should().Contain(kind);
    }

    [Test]
    public void Other_device_is_not_KVM() => KvmDevice.Inspect("/dev/null").Status.Should().Be(KvmDeviceStatus.NotKvm);

    [Test]
    public void User_outside_the_group_is_told_to_join_it()
    {
        FileNode node = new(CharacterDevice | 0x1b0, 0, Unnamed);

        KvmDevice device = KvmDevice.NotPermitted(Path, node, new ProcessIdentity(1000, [1000]));

        device.Status.Should().Be(KvmDeviceStatus.NotPermitted);
        device.Problem.Should().Contain("group 54321").And.Contain("mode 660");
        device.Remedy.Should().Contain("usermod -aG 54321").And.Contain("--group-add 54321");
    }

    [Test]
    public void Group_without_permission_is_to_be_changed_first()
    {
        FileNode node = new(CharacterDevice | 0x180, 0, 0);

        KvmDevice.NotPermitted(Path, node, new ProcessIdentity(1000, [1000])).Remedy.Should().Contain("chmod 660");
    }

    [Test]
    public void Refusal_in_spite_of_the_mode_is_the_containers()
    {
        FileNode node = new(CharacterDevice | 0x1b6, 0, 0);

        KvmDevice.NotPermitted(Path, node, new ProcessIdentity(1000, [1000])).Remedy.Should().Contain("container");
    }

    // Octal 600, 660, 606, 060: owner 7, group 8.
    [TestCase(0x180u, 7u, 1u, true)]
    [TestCase(0x180u, 1u, 8u, false)]
    [TestCase(0x1b0u, 1u, 8u, true)]
    [TestCase(0x1b0u, 1u, 1u, false)]
    [TestCase(0x186u, 1u, 8u, false)]
    [TestCase(0x186u, 1u, 1u, true)]
    [TestCase(0x030u, 7u, 8u, false)]
    [TestCase(0x000u, 0u, 0u, true)]
    public void First_class_that_matches_decides(uint mode, uint user, uint group, bool allowed) =>
        new FileNode(CharacterDevice | mode, 7, 8).MayUse(new ProcessIdentity(user, [group])).Should().Be(allowed);

    [Test]
    public void This_process_knows_who_it_is()
    {
        ProcessIdentity identity = ProcessIdentity.Current();

        identity.User.Should().NotBe(uint.MaxValue);
        identity.Groups.Should().NotBeEmpty();
    }
}
