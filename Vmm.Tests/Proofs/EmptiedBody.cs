// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Vmm.Tests.Proofs;

/// <summary>Rewrites assemblies so that methods do nothing and return their type's default.</summary>
internal static class EmptiedBody
{
    /// <summary>Writes a copy of an assembly in which some methods are empty.</summary>
    /// <param name="source">The assembly's file.</param>
    /// <param name="target">Where the copy goes.</param>
    /// <param name="methods">The methods, of that assembly.</param>
    public static void Write(string source, string target, IEnumerable<MethodInfo> methods)
    {
        using ModuleDefinition module = ModuleDefinition.ReadModule(source);
        foreach (MethodInfo method in methods)
        {
            Empty(module, (MethodDefinition)module.LookupToken(method.MetadataToken));
        }

        module.Write(target);
    }

    private static void Empty(ModuleDefinition module, MethodDefinition method)
    {
        Mono.Cecil.Cil.MethodBody body = new(method) { InitLocals = true };
        ILProcessor code = body.GetILProcessor();
        if (method.ReturnType.IsByReference)
        {
            code.Emit(OpCodes.Ldc_I4_0);
            code.Emit(OpCodes.Conv_U);
        }
        else if (method.ReturnType.MetadataType != MetadataType.Void)
        {
            VariableDefinition result = new(module.ImportReference(method.ReturnType));
            body.Variables.Add(result);
            code.Emit(OpCodes.Ldloc, result);
        }

        code.Emit(OpCodes.Ret);
        method.Body = body;
    }
}
