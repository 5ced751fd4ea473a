/**
 * The directive `enable subgroups;`. WGSL asks for it before the functions of subgroups are used; some compilers offer these functions and
 * refuse the directive.
 *
 * @module
 */

/** The directive alone, as a module may hold it. */
const DIRECTIVE = /\benable\s+subgroups\s*;/g;

/** Functions and built-in values that take the directive. */
const USES = /\b(subgroup[A-Z_]|quad(Broadcast|Swap))/;

/** Compiles the directive alone, to find whether a device's compiler takes it. */
export async function takesDirective(device: GPUDevice): Promise<boolean> {
  device.pushErrorScope("validation");
  device.createShaderModule({ label: "enable subgroups", code: "enable subgroups;" });
  return await device.popErrorScope() === null;
}

/** Adds the directive to a module that needs it, or removes it where the compiler refuses it. Lines keep their numbers. */
export function adaptDirective(code: string, isTaken: boolean): string {
  if (!isTaken) return code.replace(DIRECTIVE, (found) => found.replace(/\S/g, " "));
  return USES.test(code) && code.search(DIRECTIVE) === -1 ? `enable subgroups; ${code}` : code;
}
