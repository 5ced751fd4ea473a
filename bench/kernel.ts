/**
 * Timing of a user's own kernel: `lpntk bench kernel`.
 *
 * @module
 */
import { createGenerator, drawUniform, STREAMS } from "../engine/data/random.ts";
import {
  type Bindings,
  ComputeDevice,
  type ComputeKernel,
  type DeviceArray,
  type DeviceTiming,
  type UniformValue,
} from "../engine/gpu/mod.ts";
import { type Binding, type Layout, listScalars, reflect } from "../engine/wgsl/reflection.ts";
import { findNearest } from "../engine/options.ts";
import { openGpu } from "../engine/tuning/open.ts";
import { measureCeilings } from "./ceilings/ceilings.ts";
import { FULL, QUICK } from "./measure.ts";
import type { UseAdapter } from "./open.ts";
import { type Ceilings, describePlace, type Place, round, show, toDigits } from "./report.ts";

/** Types of numbers that buffers are filled with. */
export type NumberType = "f32" | "f16" | "u32" | "i32";

/** A buffer, as `rows=f32:1048576`. */
export interface BufferSpec {
  readonly name: string;
  readonly type: NumberType;
  /** Numbers. */
  readonly count: number;
  /** Is zeros at first, and written by the kernel. */
  readonly isWritten: boolean;
}

/** A uniform, or a field of one, as `params.count=u32:5`. */
export interface UniformSpec {
  readonly name: string;
  readonly type: NumberType;
  readonly values: readonly number[];
}

/** Workgroups along x, y and z. */
export type Dispatch = readonly [x: number, y?: number, z?: number];

/** Launch to time, and the form of the result. */
export interface KernelBenchOptions {
  readonly entryPoint?: string;
  readonly dispatch: Dispatch;
  readonly buffers: readonly BufferSpec[];
  readonly uniforms: readonly UniformSpec[];
  /** FLOPs of a launch, for the rate. */
  readonly flops?: number;
  /** Bytes that a launch reads and writes, for the bandwidth. */
  readonly bytes?: number;
  /** Seed of the numbers that fill the buffers. */
  readonly seed: number;
  readonly quick?: boolean;
  /** A line of JSON. */
  readonly json?: boolean;
  readonly print: (text: string) => void;
  /** Opens the device, and judges it. */
  readonly use: UseAdapter;
}

/** Result of timing a kernel. */
interface KernelResult {
  readonly kernel: string;
  readonly entryPoint: string;
  readonly dispatch: Dispatch;
  readonly workgroup: readonly number[];
  readonly timing: DeviceTiming;
  readonly rates: readonly Rate[];
}

/** A rate beside what the adapter reaches. */
interface Rate {
  readonly key: keyof Ceilings;
  readonly value: number;
  readonly ceiling: number;
}

const RATES = {
  gflops: { name: "speed", unit: "GFLOP/s", from: "multiply-adds from registers" },
  gb_per_s: { name: "bandwidth", unit: "GB/s", from: "a copy from buffer to buffer" },
} as const satisfies Record<keyof Ceilings, unknown>;

/**
 * Times a kernel and prints its result.
 *
 * @param name name of the shader in messages and in the result
 * @param wgsl text of the shader
 * @throws {RangeError} if the buffers, the uniforms or the workgroups do not fit what the shader declares or the device has; `KernelError`, with
 * the line, if the device refuses the shader.
 */
export async function benchKernel(
  name: string,
  wgsl: string,
  options: KernelBenchOptions,
): Promise<void> {
  const { entryPoint, dispatch, quick, json, use, print } = options;
  const gpu = await use(openGpu, ({ adapter }) => adapter);
  using device = new ComputeDevice(gpu);
  const kernel = await device.kernel(name, wgsl, { entryPoint });
  const bindings = await createBindings(device, kernel, wgsl, options);
  const effort = quick ? QUICK : FULL;
  const timing = await timeKernel(device, kernel, bindings, dispatch, effort);
  const counts = { gflops: options.flops, gb_per_s: options.bytes };
  const ceilings = Object.values(counts).some((count) => count !== undefined)
    ? await measureCeilings({ gpu, effort })
    : undefined;
  const rates = (["gflops", "gb_per_s"] as const).filter((key) => counts[key] !== undefined)
    .map((key): Rate => ({
      key,
      value: counts[key]! / timing.median / 1e6,
      ceiling: ceilings![key],
    }));
  const { workgroupSize: workgroup } = kernel;
  const result = {
    kernel: name,
    entryPoint: kernel.entryPoint,
    dispatch,
    workgroup,
    timing,
    rates,
  };
  const place = await describePlace(device.adapter.name);
  print(json ? formatJson(result, place) : formatLines(result, place).join("\n"));
}

/**
 * Creates the buffers and the values of uniforms that a kernel is launched with.
 *
 * @throws {RangeError} if the buffers or the uniforms do not fit what the shader declares.
 */
export async function createBindings(
  device: ComputeDevice,
  { name, entryPoint }: ComputeKernel,
  wgsl: string,
  { buffers, uniforms, seed }: Pick<KernelBenchOptions, "buffers" | "uniforms" | "seed">,
): Promise<Bindings> {
  const { bindings } = reflect(wgsl, entryPoint);
  const refuse = (text: string): never => {
    throw new RangeError(`Cannot time kernel '${name}': ${text}`);
  };
  const values = matchUniforms(bindings, uniforms, refuse);
  checkBuffers(bindings, buffers, refuse);
  return { ...await createBuffers(device, buffers, seed, refuse), ...values };
}

async function timeKernel(
  device: ComputeDevice,
  kernel: ComputeKernel,
  bindings: Bindings,
  workgroups: Dispatch,
  { rounds, measurementMs, budgetMs }: typeof FULL,
): Promise<DeviceTiming> {
  return await device.time(
    (recording) => recording.run(kernel, bindings, { workgroups }),
    { rounds, measurementMs, budgetMs },
  );
}

type Refuse = (text: string) => never;

/** Compares buffers with the shader's declarations. */
function checkBuffers(
  bindings: readonly Binding[],
  specs: readonly BufferSpec[],
  refuse: Refuse,
): void {
  const declared = bindings.filter(({ access }) => access !== "uniform");
  matchNames("--buffer", declared.map(({ name }) => name), specs.map(({ name }) => name), refuse);
  for (const { name, type, isWritten } of specs) {
    const { access, layout } = declared.find((binding) => binding.name === name)!;
    const scalars = listScalars(layout);
    if (scalars.length === 1 && scalars[0] !== type) {
      refuse(`got --buffer ${name} of ${type}, need ${scalars[0]}, as the shader declares it`);
    }
    if (isWritten && access === "read") {
      refuse(`got --buffer ${name} to write, need one to read: the shader does not write it`);
    }
  }
}

/** Refuses names that are missing, unknown, or given twice. */
function matchNames(
  flag: string,
  needed: readonly string[],
  given: readonly string[],
  refuse: Refuse,
): void {
  const need = `need ${needed.join(", ") || "none"}`;
  const unknown = given.find((name) => !needed.includes(name));
  if (unknown !== undefined) {
    const nearest = findNearest(unknown, needed);
    refuse(
      `got ${flag} ${unknown} that the kernel does not use, ${need}${
        nearest === undefined ? "" : `; did you mean ${nearest}?`
      }`,
    );
  }
  const twice = given.find((name, i) => given.indexOf(name) < i);
  if (twice !== undefined) refuse(`got ${flag} ${twice} twice, need it once`);
  const missing = needed.find((name) => !given.includes(name));
  if (missing !== undefined) refuse(`got no ${flag} ${missing}, ${need}`);
}

async function createBuffers(
  device: ComputeDevice,
  specs: readonly BufferSpec[],
  seed: number,
  refuse: Refuse,
): Promise<Bindings> {
  const generator = createGenerator(seed, STREAMS.trials);
  const draw = (count: number) => drawUniform(generator, count, 1);
  const buffers: Record<string, Bindings[string]> = Object.create(null);
  for (const { name, type, count, isWritten } of specs) {
    const sizeBytes = count * (type === "f16" ? 2 : 4);
    if (sizeBytes % 4 !== 0) {
      refuse(`got --buffer ${name} of ${count} f16, need an even number: buffers are whole words`);
    }
    const limit = device.limits.maxStorageBufferBindingSize;
    if (sizeBytes > limit) {
      refuse(`got --buffer ${name} of ${sizeBytes} bytes, need at most ${limit} on this device`);
    }
    const content = isWritten ? sizeBytes : fill(type, sizeBytes, draw);
    buffers[name] = await device.buffer(name, content);
  }
  return buffers;
}

/** Draws numbers of a type: from -1 to 1, or integers from 0 to 255. */
function fill(
  type: NumberType,
  sizeBytes: number,
  draw: (count: number) => Float32Array<ArrayBuffer>,
): DeviceArray {
  if (type === "f16") return new Uint16Array(Float16Array.from(draw(sizeBytes / 2)).buffer);
  const numbers = draw(sizeBytes / 4);
  if (type === "f32") return numbers;
  const whole = numbers.map((number) => Math.min(255, Math.floor((number + 1) * 128)));
  return type === "u32" ? Uint32Array.from(whole) : Int32Array.from(whole);
}

/** Numbers of a uniform that are given together. */
interface Leaf {
  /** Names from the variable on, as in `params.count`. */
  readonly path: readonly string[];
  readonly layout: Layout;
}

/** Assembles the values of all uniforms from those of their fields. */
function matchUniforms(
  bindings: readonly Binding[],
  specs: readonly UniformSpec[],
  refuse: Refuse,
): Bindings {
  const leaves = bindings.filter(({ access }) => access === "uniform")
    .flatMap(({ name, layout }) => listLeaves([name], layout));
  const names = leaves.map(({ path }) => path.join("."));
  const isNamed = (path: string, name: string) => path.endsWith(`.${name}`);
  const whole = specs.map(({ name }) => {
    if (names.includes(name)) return name;
    const found = names.filter((path) => isNamed(path, name));
    if (found.length > 1) refuse(`got --uniform ${name}, need one of ${found.join(", ")}`);
    return found[0] ?? name;
  });
  matchNames("--uniform", names, whole, refuse);
  const values: Record<string, UniformValue> = Object.create(null);
  leaves.forEach(({ path, layout }, i) => {
    const { type, values: numbers } = specs[whole.indexOf(names[i])];
    const [scalar, ...others] = listScalars(layout);
    const count = countNumbers(layout);
    if (others.length > 0 || scalar !== type || numbers.length !== count) {
      const need = others.length > 0 ? "no array of structs" : `${count} of ${scalar}`;
      refuse(`got --uniform ${names[i]} with ${numbers.length} of ${type}, need ${need}`);
    }
    place(values, path, count === 1 ? numbers[0] : numbers);
  });
  return values;
}

function listLeaves(path: readonly string[], layout: Layout): Leaf[] {
  if (layout.kind !== "struct") return [{ path, layout }];
  return layout.fields.flatMap(({ name, layout }) => listLeaves([...path, name], layout));
}

function countNumbers(layout: Layout): number {
  return layout.kind === "list" ? (layout.count ?? 0) * countNumbers(layout.element) : 1;
}

function place(
  values: Record<string, UniformValue>,
  [name, ...rest]: readonly string[],
  value: UniformValue,
): void {
  if (rest.length === 0) values[name] = value;
  else place((values[name] ??= Object.create(null)) as typeof values, rest, value);
}

function formatJson({ timing, rates, ...result }: KernelResult, place: Place): string {
  const { clock, ...ms } = timing;
  const speeds = rates.map(({ key, value, ceiling }) => [key, {
    value: toDigits(value),
    ceiling: toDigits(ceiling),
    share: toDigits(value / ceiling),
  }]);
  return JSON.stringify({
    ...result,
    ms: round(ms),
    clock,
    ...Object.fromEntries(speeds),
    ...place,
  });
}

function formatLines(result: KernelResult, { adapter, deno, commit, date }: Place): string[] {
  const { kernel, entryPoint, dispatch, workgroup, timing, rates } = result;
  const { median, min, max, measurements, repetitions, clock } = timing;
  const groups = dispatch.map((count) => count!.toLocaleString("en")).join(" x ");
  return [
    `${kernel}, ${entryPoint}: ${groups} workgroups of ${workgroup.join(" x ")}`,
    `${show(median)} ms (${show(min)} to ${show(max)}), ${measurements} measurements of ${
      repetitions.toLocaleString("en")
    } launches, ${
      clock === "device" ? "by the device's timestamps" : "by the host's clock, with the wait"
    }`,
    ...rates.map(({ key, value, ceiling }) => {
      const { name, unit, from } = RATES[key];
      return `${name}: ${show(value)} ${unit}, ${(100 * value / ceiling).toFixed(0)} % of ${
        show(ceiling)
      }, which the adapter reaches with ${from}`;
    }),
    `${adapter}; Deno ${deno}; commit ${commit}; ${date}`,
  ];
}
