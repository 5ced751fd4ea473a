/** `lpntk bench`. @module */

import {
  Argument,
  type Command,
  InvalidArgumentError,
} from "npm:@commander-js/extra-typings@15.1.0";
import { CASE_NAMES, type CaseName } from "../../bench/case_names.ts";
import type { BufferSpec, Dispatch, NumberType, UniformSpec } from "../../bench/kernel.ts";
import { readText } from "../../engine/files/file.ts";
import { useAdapter } from "../adapter.ts";
import { nameWhole } from "../folder.ts";
import { print } from "../print.ts";
import { UsageError } from "../usage.ts";
import { findReportFlag, REPORT_HELP, reportOptions, runReport } from "./bench_report.ts";
import { options } from "./shared.ts";
import { parsePositive } from "./values.ts";

const TYPES = ["f32", "f16", "u32", "i32"] as const satisfies readonly NumberType[];

/** Adds the command. */
export function addBench(program: Command): void {
  const bench = program.command("bench")
    .description("time the kernels beside other implementations, or measure the adapter")
    .addArgument(
      new Argument("[case...]", "cases to time, all when left out; or a report, new.json")
        .choices(CASE_NAMES).argParser(parseCases),
    )
    .option("--quick", "only the smallest sizes, in short measurements")
    .addOption(reportOptions.report())
    .addOption(reportOptions.minutes())
    .addOption(reportOptions.force())
    .addOption(reportOptions.baseline())
    .addOption(reportOptions.failBelow())
    .addOption(options.json())
    .addHelpText("after", REPORT_HELP)
    .action(async (given, { quick, ...flags }) => {
      const names = given ?? [];
      if (findReportFlag(flags) !== undefined) {
        await runReport(names, { ...flags, version: program.version()! });
        return;
      }
      const cases = names.filter(isCase);
      if (cases.length < names.length) {
        throw new UsageError("Cannot bench: got a report alone, need --baseline <file> beside it");
      }
      // imported here, since the peers are large and no other command needs them
      const { runBenches } = await import("../../bench/main.ts");
      await runBenches(cases, { quick, json: flags.json, use: useAdapter, print });
    });
  bench.command("kernel")
    .description("time a compute shader of one's own, bound by the names that it declares")
    .argument("<file>", "WGSL")
    .requiredOption("--dispatch <n>", "workgroups, such as 4096 or 64x64", parseDispatch)
    .option(
      "--buffer <name=type:count>",
      "a buffer, such as rows=f32:1048576; filled by the seed, or with zeros if :write follows",
      (text, specs: readonly BufferSpec[] = []) => [...specs, parseBuffer(text)],
    )
    .option(
      "--uniform <name=type:value>",
      "a uniform or a field of one, such as count=u32:5 or params.offset=f32:1,2,3",
      (text, specs: readonly UniformSpec[] = []) => [...specs, parseUniform(text)],
    )
    .option("--entry-point <name>", "which function, where the shader has several")
    .option("--flops <n>", "FLOPs of a launch, for GFLOP/s", parsePositive)
    .option("--bytes <n>", "bytes that a launch reads and writes, for GB/s", parsePositive)
    .addOption(options.seed())
    .option("--quick", "measured shortly")
    .addOption(options.json())
    .action(async (file, { buffer: buffers = [], uniform: uniforms = [], ...others }) => {
      // those of the same name are taken by the command above
      const { quick, json, ...flags } = bench.opts();
      const flag = findReportFlag(flags);
      if (flag !== undefined) {
        throw new UsageError(
          `Cannot time a kernel: got ${flag}, which is about reports, need bench without kernel for these`,
        );
      }
      const wgsl = await readText(file, "a WGSL shader").catch((cause) => {
        throw new UsageError(nameWhole(cause.message, file), { cause });
      });
      const { benchKernel } = await import("../../bench/kernel.ts");
      await benchKernel(file.split(/[/\\]/).at(-1)!, wgsl, {
        ...others,
        buffers,
        uniforms,
        quick,
        json,
        use: useAdapter,
        print,
      });
    });
}

/** Workgroups, `4096`, `64x64` or `8x8x8`. */
function parseDispatch(text: string): Dispatch {
  const sizes = text.split("x").map(Number);
  if (sizes.length > 3 || !sizes.every((size) => Number.isInteger(size) && size >= 1)) {
    throw new InvalidArgumentError(`Got '${text}', need workgroups such as 4096, 64x64 or 8x8x8.`);
  }
  return sizes as unknown as Dispatch;
}

function parseBuffer(text: string): BufferSpec {
  const [, name, type, count, write] = /^(\w+)=(\w+):(\d+)(:write)?$/.exec(text) ?? [];
  if (!isType(type) || !(Number(count) >= 1)) {
    throw new InvalidArgumentError(
      `Got '${text}', need such as rows=f32:1048576 or out=f32:1024:write, of ${TYPES.join(", ")}.`,
    );
  }
  return { name, type, count: Number(count), isWritten: write !== undefined };
}

function parseUniform(text: string): UniformSpec {
  const [, name, type, list = ""] = /^([\w.]+)=(\w+):(.+)$/.exec(text) ?? [];
  const values = list.split(",").map((value) => value.trim() === "" ? NaN : Number(value));
  if (!isType(type) || values.some(Number.isNaN)) {
    throw new InvalidArgumentError(
      `Got '${text}', need such as count=u32:5 or offset=f32:1,2,3, of ${TYPES.join(", ")}.`,
    );
  }
  return { name, type, values };
}

function isType(text: string | undefined): text is NumberType {
  return TYPES.some((type) => type === text);
}

function isCase(name: string): name is CaseName {
  return CASE_NAMES.some((known) => known === name);
}

function parseCases(text: string, before: readonly string[] = []): string[] {
  if (isCase(text) || text.endsWith(".json")) return [...before, text];
  throw new InvalidArgumentError(
    `Allowed choices are ${CASE_NAMES.join(", ")}, or a report, new.json.`,
  );
}
