// SPDX-License-Identifier: BSD-2-Clause

using System.Text;

namespace Vmm.Machine.Boot;

/// <summary>
/// An initial RAM disk whose user space is one statically linked busybox: it mounts what every program expects, gives a shell on the
/// console or carries out a script, and powers the machine off.
/// </summary>
public static class BusyboxInitramfs
{
    /// <summary>What <c>/init</c> prints when user space has begun.</summary>
    public const string Greeting = "Vmm: user space is running";

    /// <summary>What <c>/init</c> prints before it powers the machine off.</summary>
    public const string Farewell = "Vmm: powering off";

    private const string Script = "/script";

    private static readonly string s_init = $"""
        #!/bin/busybox sh
        export PATH=/bin HOME=/ TERM="$TERM"
        busybox mount -t proc proc /proc
        busybox mount -t sysfs sysfs /sys
        busybox mount -t devtmpfs devtmpfs /dev 2> /dev/null
        busybox mkdir -p /dev/pts
        busybox mount -t devpts devpts /dev/pts 2> /dev/null
        echo "{Greeting}"
        if [ -x {Script} ]; then
          {Script}
          echo "script ended with $?"
        else
          busybox setsid busybox cttyhack busybox sh
        fi
        echo "{Farewell}"
        busybox sync
        busybox poweroff -f
        """.ReplaceLineEndings("\n") + "\n";

    /// <summary>Makes one.</summary>
    /// <param name="busybox">The program, statically linked for x86-64.</param>
    /// <param name="applets">The names that it answers to, as <c>busybox --list</c> says them; each becomes a link.</param>
    /// <param name="script">A shell script that is carried out in place of the shell; null for the shell.</param>
    /// <returns>The builder, to which more can be added.</returns>
    /// <exception cref="BootImageException">The program is not what it must be.</exception>
    public static InitramfsBuilder Create(ReadOnlyMemory<byte> busybox, IEnumerable<string> applets, string? script = null)
    {
        ArgumentNullException.ThrowIfNull(applets);
        RequireStatic(busybox.Span);
        InitramfsBuilder builder = new();
        foreach (string folder in (ReadOnlySpan<string>)["proc", "sys", "dev", "tmp", "root", "etc"])
        {
            builder.AddFolder(folder);
        }

        // Until devtmpfs is mounted, and for kernels without it.
        builder.AddCharacterDevice("dev/console", 5, 1);
        builder.AddCharacterDevice("dev/tty", 5, 0);
        builder.AddCharacterDevice("dev/null", 1, 3);
        builder.AddCharacterDevice("dev/zero", 1, 5);
        builder.AddCharacterDevice("dev/urandom", 1, 9);
        builder.AddCharacterDevice("dev/ttyS0", 4, 64);
        builder.AddFile("bin/busybox", busybox, isExecutable: true);
        foreach (string applet in applets.Where(name => name.Length > 0 && name != "busybox").Distinct())
        {
            builder.AddLink($"bin/{applet}", "busybox");
        }

        builder.AddFile("init", Encoding.UTF8.GetBytes(s_init), isExecutable: true);
        if (script is not null)
        {
            string shebang = script.StartsWith("#!", StringComparison.Ordinal) ? "" : "#!/bin/busybox sh\n";
            builder.AddFile(Script, Encoding.UTF8.GetBytes(shebang + script), isExecutable: true);
        }

        return builder;
    }

    /// <summary>A program that asks for a dynamic linker (a PT_INTERP segment) finds none in the RAM disk.</summary>
    private static void RequireStatic(ReadOnlySpan<byte> program)
    {
        const int HeaderLength = 64;
        const int ProgramHeaderLength = 56;
        const ushort X64 = 62;
        const uint Interpreter = 3;
        if (program.Length < HeaderLength || !program.StartsWith("\u007f"u8) || !program[1..].StartsWith("ELF\u0002"u8)
            || BitConverter.ToUInt16(program[18..]) != X64)
        {
            throw Refused(0, "e_ident", "the program is no ELF program for x86-64");
        }

        ulong table = BitConverter.ToUInt64(program[32..]);
        int count = BitConverter.ToUInt16(program[56..]);
        for (int i = 0; i < count; i++)
        {
            ulong at = table + ((ulong)i * ProgramHeaderLength);
            if (at > (ulong)program.Length || (ulong)program.Length - at < ProgramHeaderLength)
            {
                throw Refused((long)at, "program header", "the program ends before it");
            }

            if (BitConverter.ToUInt32(program[(int)at..]) == Interpreter)
            {
                throw Refused((long)at, "PT_INTERP", "the program is dynamically linked");
            }
        }
    }

    private static BootImageException Refused(long offset, string field, string problem) =>
        new(BootImageKind.Program, offset, field, problem, "Take a statically linked busybox, such as that of Debian's package busybox-static");
}
