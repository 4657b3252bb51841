// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using System.Text;
using Vmm.Abstractions.Machine;
using Vmm.Machine.Board;
using Vmm.Machine.Boot;
using Vmm.Machine.Devices;
using Vmm.Software;

namespace Vmm.Tests.Software;

/// <summary>Debian's own kernel and busybox on the processor in software, up to user space and down to power off.</summary>
[Category("Debian")]
internal sealed class SoftwareDebianTests
{
    private const string Busybox = "/bin/busybox";

    /// <summary>What guest and host carry out alike: integer, hashes, compression, floating point, processes.</summary>
    private const string SelfCheck = """
        cd /tmp
        busybox sha256sum /bin/busybox
        busybox md5sum /bin/busybox
        busybox gzip -c /bin/busybox > check.gz && busybox gzip -t check.gz && echo intact
        busybox zcat check.gz | busybox cmp - /bin/busybox && echo same
        busybox awk 'BEGIN { x = 1; for (i = 1; i < 500; i++) { x = x * 1.0001 + (i % 2 ? 1 : -1) / (2 * i - 1); y += x / (i + y / 3); z = z - (z * z - y) / (2 * z + 1) } printf "%.17g %.17g %.12e %d\n", x, y, z, int(y * 1e6) }'
        for job in 1 2 3; do (busybox seq 1 200 | busybox awk -v n=$job '{ s += $1 * n } END { print s }' > check.$job) & done
        wait
        busybox cat check.1 check.2 check.3
        busybox rm -f check.gz check.1 check.2 check.3
        """;

    private byte[] _kernel = [];

    [OneTimeSetUp]
    public void FindPackages()
    {
        string? path = Environment.GetEnvironmentVariable("VMM_DEBIAN_KERNEL");
        path ??= Directory.Exists("/boot") ? Directory.GetFiles("/boot", "vmlinuz-*-cloud-amd64").Max() : null;
        if (path is null)
        {
            Assert.Ignore("No Debian cloud kernel: set VMM_DEBIAN_KERNEL to one, or install linux-image-cloud-amd64.");
        }

        if (!File.Exists(Busybox))
        {
            Assert.Ignore($"No {Busybox}: install busybox-static.");
        }

        _kernel = File.ReadAllBytes(path!);
    }

    [Test]
    public void Kernel_boots_to_a_script_and_powers_off()
    {
        (MachineResult result, string console) = Boot(cpus: 1, "uname -m; echo $((6 * 7))");

        result.End.Should().Be(MachineEnd.PowerOff, $"{result.Detail}\n{console}");
        console.Should().ContainAll(BusyboxInitramfs.Greeting, "x86_64", "42", "script ended with 0", BusyboxInitramfs.Farewell);
    }

    /// <summary>The kernel's own messages about what the board has, and the counts of its interrupts.</summary>
    [TestCase(1)]
    [TestCase(2)]
    public void Kernel_finds_the_chips_and_lives_by_their_interrupts(int cpus)
    {
        (MachineResult result, string console) = Boot(cpus, "busybox cat /proc/interrupts", "console=ttyS0");

        result.End.Should().Be(MachineEnd.PowerOff, $"{result.Detail}\n{console}");
        console.Should().ContainAll(
            "IOAPIC[0]: apic_id", "address 0xfec00000", "TSC deadline timer available", "hpet0: at MMIO 0xfed00000", "ACPI: PM-Timer IO Port",
            "rtc_cmos 00:01: registered as rtc0", "setting system clock to", "IO-APIC   4-edge      ttyS0");
        string[] timer = console.ReplaceLineEndings("\n").Split('\n').Single(line => line.Contains("Local timer interrupts", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries);
        timer[1..(cpus + 1)].Should().OnlyContain(count => int.Parse(count, CultureInfo.InvariantCulture) > 0, "each processor has a timer");
        console.Should().NotContainAny("Kernel panic", "Call Trace", "BUG:");
    }

    [TestCase(1)]
    [TestCase(2)]
    public void User_space_computes_what_the_host_computes(int cpus)
    {
        string expected = RunOnHost(SelfCheck);

        (MachineResult result, string console) = Boot(cpus, $"echo begin\n{SelfCheck}\necho end; busybox nproc");

        result.End.Should().Be(MachineEnd.PowerOff, $"{result.Detail}\n{console}");
        string[] lines = console.ReplaceLineEndings("\n").Split('\n');
        int begin = Array.IndexOf(lines, "begin");
        int end = Array.IndexOf(lines, "end");
        lines[(begin + 1)..end].Should().Equal(expected.TrimEnd('\n').Split('\n'));
        lines[end + 1].Should().Be($"{cpus}");
    }

    [TestCase(1)]
    [TestCase(2)]
    public void Shell_takes_what_is_typed(int cpus)
    {
        byte[] disk = BusyboxInitramfs.Create(File.ReadAllBytes(Busybox), ["echo", "sh"]).ToArray();
        Transcript transcript = new();
        using SoftwareBackend backend = new();
        using PcMachine machine = Create(backend, cpus, transcript);
        machine.LoadLinux(new LinuxBootOptions { Kernel = _kernel, Initrd = disk, CommandLine = "console=ttyS0 quiet" });
        string[] typed = ["echo $((1234 * 5678))\n", "exit\n"];
        int next = 0;
        transcript.Seen = text =>
        {
            // The prompt is the last thing on the line.
            if (next < typed.Length && text.EndsWith("# ", StringComparison.Ordinal))
            {
                byte[] line = Encoding.ASCII.GetBytes(typed[next++]);
                ThreadPool.QueueUserWorkItem(_ => machine.Serial.QueueInput(line));
            }
        };

        MachineResult result = machine.Run();

        result.End.Should().Be(MachineEnd.PowerOff, $"{result.Detail}\n{transcript.Text}");
        transcript.Text.Should().Contain("7006652");
    }

    private (MachineResult Result, string Console) Boot(int cpus, string script, string commandLine = "console=ttyS0 quiet")
    {
        byte[] disk = BusyboxInitramfs.Create(File.ReadAllBytes(Busybox), ["uname"], script).ToArray();
        Transcript transcript = new();
        using SoftwareBackend backend = new();
        using PcMachine machine = Create(backend, cpus, transcript);
        machine.LoadLinux(new LinuxBootOptions { Kernel = _kernel, Initrd = disk, CommandLine = commandLine });
        return (machine.Run(), transcript.Text);
    }

    private static PcMachine Create(SoftwareBackend backend, int cpus, Transcript transcript) => PcMachine.Create(backend, new PcOptions
    {
        Cpus = cpus,
        MemorySize = 256 << 20,
        InterruptControllerMode = InterruptControllerMode.Userspace,
        Console = transcript,
        Timeout = TimeSpan.FromMinutes(8),
    });

    private static string RunOnHost(string script)
    {
        using Process shell = Process.Start(new ProcessStartInfo(Busybox, ["sh", "-c", script]) { RedirectStandardOutput = true })!;
        string text = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        return text;
    }

    /// <summary>Keeps what the guest prints and shows it to whoever waits for something.</summary>
    private sealed class Transcript : IConsoleSink
    {
        private readonly StringBuilder _text = new();

        public Action<string>? Seen { get; set; }

        public string Text => _text.ToString();

        public void Write(ReadOnlySpan<byte> data)
        {
            _text.Append(Encoding.ASCII.GetString(data));
            Seen?.Invoke(Text);
        }
    }
}
