// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

[assembly: DisableRuntimeMarshalling]
