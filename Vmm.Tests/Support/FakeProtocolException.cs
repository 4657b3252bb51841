// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Support;

/// <summary>The engine has used the fake backend in a way that the contract of a backend forbids.</summary>
internal sealed class FakeProtocolException(string message) : Exception(message);
