/** `lpntk doctor`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import type { AdapterRequest } from "../../mod.ts";
import { findUsedAdapter, openAdapter } from "../adapter.ts";
import { refuseFailed } from "../self_test/checks.ts";
import { testKernels } from "../self_test/self_test.ts";
import { options, report } from "./shared.ts";

/** Limits of the device that decide which sizes fit. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupStorageSize",
  "maxStorageBuffersPerShaderStage",
] as const;

/** Adds the command. */
export function addDoctor(program: Command): void {
  program.command("doctor")
    .description("show the adapter, time its Gram kernels and test every kernel against float64")
    .option("--retune", "time the kernels again instead of using what the cache folder remembers")
    .addOption(options.json())
    .action(async ({ retune, json }) => {
      using engine = await openAdapter();
      const tuning = await engine.tune({ fresh: retune });
      const checks = await testKernels(engine);
      const limits = Object.fromEntries(LIMITS.map((name) => [name, engine.limits[name]]));
      const { name, vendor, features, isFallback, asked } = engine.adapter;
      const { backend } = findUsedAdapter()!;
      const about = { adapter: name, backend, asked, isCpu: isFallback, vendor, features };
      report(json, { ...about, limits, tuning, checks }, [
        `adapter: ${name}${isFallback ? ", a CPU adapter" : ""}`,
        `backend: ${backend}`,
        `asked for: ${[asked.powerPreference, ...listEnvironment(asked)].join(", ")}`,
        `features: ${features.join(" ")}`,
        ...LIMITS.map((limit) => `${limit}: ${limits[limit].toLocaleString("en")}`),
        `gram tiles, N ${tuning.size[0]}, K ${tuning.size[1]}:`,
        ...Object.entries(tuning.rates).map(([variant, rate], i) =>
          `  ${variant.padEnd(21)} ${rate.toFixed(1).padStart(8)} GFLOP/s${
            i === 0 ? ", chosen" : ""
          }`
        ),
        ...Object.entries(tuning.bandwidths).map(([operands, bandwidth]) =>
          `reading rows in ${operands}s ${bandwidth.toFixed(1).padStart(6)} GB/s`
        ),
        ...Object.entries(tuning.operands).map(([operands, ms]) =>
          `a convolution from ${operands}s   ${ms.toFixed(1).padStart(6)} ms${
            ms === Math.min(...Object.values(tuning.operands)) ? ", chosen" : ""
          }`
        ),
        ...Object.entries(tuning.vectors ?? {}).map(([width, { gram_tile, convolution }]) =>
          `vectors of ${width} bits: a Gram tile ${gram_tile.toFixed(1)}, a convolution ${
            convolution.toFixed(1)
          } ms of CPU time`
        ),
        ...checks.map(({ kernels, error, passed }) =>
          `${passed ? "ok  " : "FAIL"} ${kernels.padEnd(84)} error ${error.toExponential(1)}`
        ),
      ]);
      refuseFailed(checks.filter(({ passed }) => !passed).map(({ kernels }) => kernels));
    });
}

/** `VK_DRIVER_FILES=...` and the like. */
function listEnvironment({ environment }: AdapterRequest): string[] {
  return Object.entries(environment).map(([name, value]) => `${name}=${value}`);
}
