/** `lpntk bench`. @module */

import { Argument, type Command } from "npm:@commander-js/extra-typings@15.1.0";
import { CASE_NAMES } from "../../bench/case_names.ts";
import { useAdapter } from "../adapter.ts";
import { print } from "../print.ts";
import { options } from "./shared.ts";

/** Adds the command. */
export function addBench(program: Command): void {
  program.command("bench")
    .description("time the kernels beside other implementations")
    .addArgument(
      new Argument("[case...]", "cases to time; all when left out").choices(CASE_NAMES),
    )
    .option("--quick", "only the smallest sizes, in short measurements")
    .addOption(options.json())
    .action(async (cases, { quick, json }) => {
      // imported here, since the peers are large and no other command needs them
      const { runBenches } = await import("../../bench/main.ts");
      await runBenches(cases, { quick, json, use: useAdapter, print });
    });
}
