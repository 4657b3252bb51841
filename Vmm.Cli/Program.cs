// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Cli;

return VmmCommandLine.Invoke(args, CliHost.Process());
