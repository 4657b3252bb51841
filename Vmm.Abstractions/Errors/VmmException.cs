// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Errors;

/// <summary>
/// A refused operation: what was asked, the error by name, and what the caller can do about it.
/// </summary>
/// <remarks>
/// Thrown for what the host or the engine refuses. Nothing that a guest does throws it: a guest's faults, unclaimed
/// accesses and shutdowns are exits and outcomes, not exceptions.
/// </remarks>
public class VmmException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="operation">The operation that was refused, by its name in the header or in KVM's interface.</param>
    /// <param name="error">The error.</param>
    /// <param name="message">A sentence for a person: what, where and what to do.</param>
    /// <param name="innerException">The cause, if another exception is the cause.</param>
    public VmmException(string operation, VmmError error, string message, Exception? innerException = null)
        : base($"{operation} failed: {error}: {message}", innerException)
    {
        Operation = operation;
        Error = error;
    }

    /// <summary>The operation that was refused.</summary>
    public string Operation { get; }

    /// <summary>The error by its POSIX name.</summary>
    public VmmError Error { get; }
}
