/** `lpntk data`. @module */

import { Argument, type Command, Option } from "npm:@commander-js/extra-typings@15.1.0";
import { type Dataset, fetchDataset, hasSplit, writeFolder } from "../../mod.ts";
import { type DataSetOptions, readData } from "../data_set.ts";
import { noteEmptyClasses } from "../notes.ts";
import { print } from "../print.ts";
import { withProgress } from "../progress.ts";
import { options } from "./shared.ts";

/** Adds the command. */
export function addData(program: Command): void {
  const data = program.command("data").description("manage data sets on disk");
  addFetch(data);
  addImport(data);
}

function addFetch(data: Command): void {
  data.command("fetch")
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

function addImport(data: Command): void {
  data.command("import")
    .description("write a data set of any form that --data takes as a folder of NumPy arrays")
    .argument("<data>", "data set, as --data takes it")
    .addOption(options.size())
    .addOption(options.strict())
    .addOption(options.out("folder to write, which has to be new or empty"))
    .action(async (name, { out, ...how }) => {
      const source = { data: name, ...how };
      const train = await readData(source, "train");
      const test = await readTest(source);
      await writeFolder(out, { train, ...test && { test } });
      for (const data of [train, test]) if (data) noteEmptyClasses(data);
      print([describe(train), ...test ? [describe(test)] : [], `wrote ${out}`].join("\n"));
    });
}

async function readTest(source: DataSetOptions): Promise<Dataset | undefined> {
  return await hasSplit(source.data, "test") ? await readData(source, "test") : undefined;
}

function describe({ split, labels, shape, classes }: Dataset): string {
  return `${split}: images [${[labels.length, ...shape].join(", ")}], ${classes} classes`;
}
