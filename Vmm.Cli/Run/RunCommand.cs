// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Cli.Backends;
using Vmm.Cli.Cpu;

namespace Vmm.Cli.Run;

/// <summary>The command <c>vmm run</c>.</summary>
internal static class RunCommand
{
    private static readonly RunTexts s_defaults = new();

    /// <summary>Makes the command.</summary>
    public static Command Create(CliHost host)
    {
        Option<string?> kernel = Text("--kernel", "FILE", "A Linux kernel: bzImage or ELF64 vmlinux.");
        Option<string?> flat = Text("--flat", "FILE", "A flat binary instead of a kernel.");
        Option<string> flatMode = Text("--flat-mode", "real|long", s_defaults.FlatMode, "How a flat binary is entered: real mode at 0x7c00, 64-bit mode at 0x100000.");
        Option<string?> initrd = Text("--initrd", "FILE", "The kernel's initial RAM disk.");
        Option<string?> cmdline = Text("--cmdline", "TEXT", "The kernel's command line.");
        Option<string> memory = Text("--memory", "SIZE", s_defaults.Memory, "RAM, with K, M, G or T.");
        Option<string> cpus = Text("--cpus", "N", s_defaults.Cpus, "Processors. Those after the first are described by the MP table alone.");
        Option<string> backend = BackendOption.Create();
        Option<string?> translate = TranslateOption.Create();
        Option<string?> irqchip = IrqchipOption.Create();
        Option<string> cpu = Text("--cpu", "MODEL", s_defaults.Cpu, "The processor the guest sees: host, max, pvm-friendly, x86-64-v1 to -v4, software or a profile F.json, then features to remove or add, such as host,-cx16,+x2apic. 'vmm cpu' shows them.");
        Option<string> cpuDependencies = CpuModelOption.CreateDependencies();
        Option<string> msrPolicy = MsrOptions.CreatePolicy(s_defaults.MsrPolicy);
        Option<string> msrFilter = MsrOptions.CreateFilter(s_defaults.MsrFilter);
        Option<string> secondChance = Text("--second-chance", "on|off", s_defaults.SecondChance, "Execute in this process what KVM cannot emulate; off ends the guest there.");
        Option<string> console = Text("--console", "stdio|none|file:F", s_defaults.Console, "Where the guest's serial console goes.");
        Option<string?> timeout = Text("--timeout", "TIME", "Ends the guest after that time, with ms, s, m or h.");
        Option<string?> gdb = Text("--gdb", "ADDRESS", "Lets GDB debug the guest: :PORT on the loopback interface, ADDRESS:PORT, or unix:PATH.");
        Option<bool> paused = new("--paused") { Description = "Waits for GDB before the guest's first instruction." };
        Option<bool> stats = new("--stats") { Description = "Shows at the end what was counted: exits and times of each vCPU, and the hypervisor's own figures." };
        RepeatableOptions repeatable = RepeatableRun.CreateOptions();
        Option<bool> json = new("--json") { Description = "Reports the result as JSON: on standard output, or on standard error when the console is there." };
        Option<bool> verbose = new("--verbose") { Description = "Shows the engine's messages on standard error." };
        Option<string> device = DeviceOption.Create();
        Command command = new("run", "Runs a kernel or a flat binary.")
        {
            kernel, flat, flatMode, initrd, cmdline, memory, cpus, backend, translate, irqchip, cpu, cpuDependencies, msrPolicy, msrFilter, secondChance, console, timeout, gdb, paused, stats, repeatable.Seed, repeatable.HashEvery, repeatable.Record, repeatable.Replay, json, verbose, device,
        };
        command.SetAction(result => new RunAction(host, RunSettings.Parse(new RunTexts
        {
            Kernel = result.GetValue(kernel),
            Flat = result.GetValue(flat),
            FlatMode = result.GetRequiredValue(flatMode),
            Initrd = result.GetValue(initrd),
            CommandLine = result.GetValue(cmdline),
            Memory = result.GetRequiredValue(memory),
            Cpus = result.GetRequiredValue(cpus),
            Backend = result.GetRequiredValue(backend),
            Translate = result.GetValue(translate),
            Irqchip = result.GetValue(irqchip),
            Cpu = result.GetRequiredValue(cpu),
            CpuDependencies = result.GetRequiredValue(cpuDependencies),
            MsrPolicy = result.GetRequiredValue(msrPolicy),
            MsrFilter = result.GetRequiredValue(msrFilter),
            SecondChance = result.GetRequiredValue(secondChance),
            Console = result.GetRequiredValue(console),
            Timeout = result.GetValue(timeout),
            Gdb = result.GetValue(gdb),
            Paused = result.GetValue(paused),
            Stats = result.GetValue(stats),
            IsDeterministic = result.GetResult(repeatable.Seed) is not null,
            Seed = result.GetValue(repeatable.Seed),
            HashEvery = result.GetValue(repeatable.HashEvery),
            Record = result.GetValue(repeatable.Record),
            Replay = result.GetValue(repeatable.Replay),
            Json = result.GetValue(json),
            Verbose = result.GetValue(verbose),
            Device = result.GetRequiredValue(device),
        })).Run());
        return command;
    }

    private static Option<string?> Text(string name, string value, string description) =>
        new(name) { HelpName = value, Description = description };

    private static Option<string> Text(string name, string value, string text, string description) =>
        new(name) { HelpName = value, Description = description, DefaultValueFactory = _ => text };
}
