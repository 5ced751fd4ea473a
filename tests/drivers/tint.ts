/**
 * Compiles WGSL modules with Tint, the compiler of Chrome. Reads a JSON object of their code by name from standard input, and prints one of
 * the errors by name.
 *
 * @module
 */
import { adaptDirective, takesDirective } from "../../engine/gpu/subgroups.ts";

/**
 * Dawn for Node. Its name stands here, where no tool sees it: the package has a build script, which Deno does not run and Dawn does not need, and of
 * which Deno would warn users of the project who have no part in it.
 */
const DAWN = "npm:webgpu@0.6.2";
const { create }: { create(options: string[]): GPU } = await import(DAWN);

const modules: Record<string, string> = await new Response(Deno.stdin.readable).json();
// kept to the end of the process, since Dawn aborts once this is collected
const gpu = create([]);
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error("Dawn finds no adapter");
const subgroups: GPUFeatureName[] = adapter.features.has("subgroups") ? ["subgroups"] : [];
const device = await adapter.requestDevice({ requiredFeatures: subgroups });
const isTaken = await takesDirective(device);
const errors: Record<string, string> = {};
for (const [name, code] of Object.entries(modules)) {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code: adaptDirective(code, isTaken) });
  const { messages } = await module.getCompilationInfo();
  const failure = await device.popErrorScope();
  const error = messages.find(({ type }) => type === "error")?.message ?? failure?.message;
  if (error !== undefined) errors[name] = error;
}
console.log(JSON.stringify(errors));
// exits at once, while Dawn's object is alive
Deno.exit(gpu ? 0 : 1);
