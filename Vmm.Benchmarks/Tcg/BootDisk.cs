// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;

namespace Vmm.Benchmarks.Tcg;

/// <summary>A RAM disk whose <c>/init</c> writes a word and powers off.</summary>
internal static class BootDisk
{
    /// <summary>Makes it with <c>vmm initramfs</c>.</summary>
    /// <param name="program">The <c>vmm</c> program.</param>
    /// <param name="folder">Where to put it.</param>
    /// <param name="word">The word.</param>
    /// <returns>Its path.</returns>
    internal static string Make(string program, string folder, string word)
    {
        string script = Path.Combine(folder, "script.sh");
        string initrd = Path.Combine(folder, "initrd.cpio");
        File.WriteAllText(script, $"echo {word}\n");
        using Process make = CTwin.Start(program, "initramfs", "--output", initrd, "--script", script);
        string errors = make.StandardError.ReadToEnd();
        make.WaitForExit();
        return make.ExitCode == 0 ? initrd : throw new InvalidOperationException($"no RAM disk: {errors}");
    }
}
