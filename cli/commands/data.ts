/** `lpntk data`. @module */

import { Argument, type Command, Option } from "npm:@commander-js/extra-typings@15.1.0";
import { fetchDataset } from "../../mod.ts";
import { print } from "../print.ts";
import { withProgress } from "../progress.ts";

/** Adds the command. */
export function addData(program: Command): void {
  program.command("data")
    .description("manage data sets on disk")
    .command("fetch")
    .description("download a data set to LPNTK_DATA or the cache folder, and verify its checksum")
    .addArgument(new Argument("<name>", "data set").choices(
      ["mnist", "fashion-mnist", "cifar10", "cifar100"] as const,
    ))
    .addOption(new Option("--mirror <url>", "where to download from"))
    .action(async (name, { mirror }) => {
      const folder = await withProgress(
        "downloading",
        "bytes",
        (onProgress) => fetchDataset(name, { mirror, onProgress }),
      );
      print(`${name} is in ${folder}`);
    });
}
