/** `lpntk data`. @module */

import { Argument, type Command, Option } from "npm:@commander-js/extra-typings@15.1.0";
import { DataError, type Dataset, fetchDataset, hasSplit, writeFolder } from "../../mod.ts";
import { type DataSetOptions, readData } from "../data_set.ts";
import { noteEmptyClasses } from "../notes.ts";
import { print } from "../print.ts";
import { withProgress } from "../progress.ts";
import { UsageError } from "../usage.ts";
import { options } from "./shared.ts";
import { parsePath } from "./values.ts";

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
    .description(
      "write a data set of any form that --data takes as a folder of NumPy arrays, or decode its pictures into the cache folder",
    )
    .argument("<data>", "data set, as --data takes it")
    .addOption(options.size())
    .addOption(options.strict())
    .addOption(
      new Option(
        "--out <path>",
        "folder to write, which has to be new or empty (default: the cache folder, for pictures)",
      ).argParser(parsePath),
    )
    .action(async (name, { out, ...how }) => {
      const source = { data: name, ...how };
      let kept: string | undefined;
      const train = await readData(source, "train", (folder) => kept = folder);
      refuseOneClass(train);
      const test = await readTest(source);
      if (out !== undefined) await writeFolder(out, { train, ...test && { test } });
      else if (kept === undefined) throw refuseUnkept(name);
      for (const data of [train, test]) if (data) noteEmptyClasses(data);
      const end = out === undefined ? `kept in the cache folder (${kept})` : `wrote ${out}`;
      print([describe(train), ...test ? [describe(test)] : [], end].join("\n"));
    });
}

/** @throws {DataError} when there is one class, as class folders refuse it */
function refuseOneClass({ name, classes }: Dataset): void {
  if (classes > 1) return;
  throw new DataError(`Cannot use data set ${name}: got one class, need at least 2`);
}

function refuseUnkept(name: string): UsageError {
  return new UsageError(
    `Cannot import ${name} without --out: got no decoded pictures that the cache folder keeps, need --out FOLDER, or pictures whose files ` +
      "are older than a second and a cache folder that can be written",
  );
}

async function readTest(source: DataSetOptions): Promise<Dataset | undefined> {
  return await hasSplit(source.data, "test") ? await readData(source, "test") : undefined;
}

function describe({ split, labels, shape, classes }: Dataset): string {
  return `${split}: images [${[labels.length, ...shape].join(", ")}], ${classes} classes`;
}
