/**
 * The directive `enable subgroups;`. WGSL asks for it before the functions of subgroups are used; some compilers offer these functions and
 * refuse the directive.
 *
 * @module
 */

import { blank, blankComments } from "../wgsl/tokens.ts";

/** Directives that enable extensions, with the list of their names. */
const DIRECTIVE = /\benable\b([^;]*);/g;

/** The extension in a list, with the comma that parts it from the others. */
const LISTED = /,\s*subgroups\b|\bsubgroups\b\s*,?/;

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
  const plain = blankComments(code);
  const enabling = [...plain.matchAll(DIRECTIVE)].filter(([, names]) => LISTED.test(names));
  if (isTaken) {
    return USES.test(plain) && enabling.length === 0 ? `enable subgroups; ${code}` : code;
  }
  return enabling.reduce((adapted, { 0: found, 1: names, index }) => {
    const others = names.replace(LISTED, blank);
    const rest = others.trim() === "" ? blank(found) : found.replace(names, () => others);
    return adapted.slice(0, index) + rest + adapted.slice(index + found.length);
  }, code);
}
