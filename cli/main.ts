#!/usr/bin/env -S deno run -A
/**
 * Entry point of the command line.
 *
 * Exit codes: 0; 2 for a mistake in the call; 3 where a GPU is required and there is none; 1 for any other failure at run time. Each failure prints
 * one line on standard error.
 *
 * @module
 */
import { Command, CommanderError } from "npm:@commander-js/extra-typings@15.1.0";
import manifest from "../deno.json" with { type: "json" };
import { beginCommand, GpuRequiredError } from "./adapter.ts";
import { addBench } from "./commands/bench.ts";
import { addClean } from "./commands/clean.ts";
import { addCluster } from "./commands/cluster.ts";
import { addCompare } from "./commands/compare.ts";
import { addData } from "./commands/data.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addExperiment } from "./commands/experiment.ts";
import { addGram } from "./commands/gram.ts";
import { addModel } from "./commands/model.ts";
import { addNearest } from "./commands/nearest.ts";
import { addNeighbours } from "./commands/neighbours.ts";
import { addPlan } from "./commands/plan.ts";
import { addPrune } from "./commands/prune.ts";
import { addRedundant } from "./commands/redundant.ts";
import { addRelate } from "./commands/relate.ts";
import { addRun } from "./commands/run.ts";
import { addTrain } from "./commands/train.ts";
import {
  BudgetError,
  FileError,
  MissingDatasetError,
  PictureSizesError,
  StoredKernelError,
} from "../mod.ts";
import { noteCacheFailure } from "./notes.ts";
import { enterFolder, nameWhole } from "./folder.ts";
import { cleanUp } from "./interruption.ts";
import { setGiven } from "./output.ts";
import { print, say } from "./print.ts";
import { setQuiet } from "./progress.ts";
import { UsageError } from "./usage.ts";

/**
 * Runs one command.
 *
 * @param args without the program's name
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  const program: Command = new Command("lpntk");
  program.description(
    "measure how the samples of a training set act on each other, by the labelled pseudo NTK",
  )
    .version(manifest.version)
    .option("--debug", "print the stack trace of a failure")
    .option("--require-gpu", "fail with exit code 3 rather than compute on the CPU")
    .option("--quiet", "show no progress, neither bars nor lines")
    .hook("preAction", async (all, command) => {
      setQuiet(all.getOptionValue("quiet") === true);
      await beginCommand(all.opts().requireGpu);
      setGiven(
        Object.keys(command.opts()).filter((name) => command.getOptionValueSource(name) === "cli"),
      );
    })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => print(text.replace(/\n$/, "")),
      outputError: (message) => say(`lpntk: ${toLine(message.replace(/^error: /, ""))}`),
    });
  for (const add of COMMANDS) add(program);
  try {
    await program.parseAsync(args, { from: "user" });
    noteCacheFailure();
    return 0;
  } catch (error) {
    // commander has printed its message; after help it exits with 0
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (args.includes("--debug")) say(Deno.inspect(error));
    else say(`lpntk: ${toLine(describe(error))}`);
    if (error instanceof GpuRequiredError) return 3;
    // a RangeError is the library's error for an argument that is out of range
    return error instanceof UsageError || error instanceof RangeError ? 2 : 1;
  }
}

const COMMANDS = [
  addDoctor,
  addData,
  addModel,
  addPlan,
  addTrain,
  addGram,
  addRedundant,
  addRelate,
  addClean,
  addCluster,
  addNearest,
  addNeighbours,
  addPrune,
  addCompare,
  addRun,
  addExperiment,
  addBench,
];

/** Message of an error, with its mend on the command line. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message } = error;
  if (error instanceof PictureSizesError) return `${message}: --size ${error.imageSize.join("x")}`;
  if (error instanceof BudgetError) return `${message}; raise --memory`;
  if (!(error instanceof FileError)) return message;
  const whole = nameWhole(message, error.path);
  if (error instanceof MissingDatasetError) return `${whole}: lpntk data fetch ${error.dataset}`;
  if (error instanceof StoredKernelError) {
    return `${whole}: lpntk gram${error.needsRepair ? " --repair" : ""}`;
  }
  return whole;
}

function toLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, " ");
}

/** Ends the process with one line when something fails that no code waits for, such as a promise that a user's module left behind. */
function endOnStray(event: Event, error: unknown): never {
  event.preventDefault();
  cleanUp();
  if (Deno.args.includes("--debug")) say(Deno.inspect(error));
  else {
    const got = toLine(error instanceof Error ? String(error) : `a thrown ${typeof error}`);
    say(
      `lpntk: Cannot go on: got a failure that nothing waits for, ${got}, need every promise awaited ` +
        "and every error of a timer caught; with --debug it says where",
    );
  }
  Deno.exit(1);
}

if (import.meta.main) {
  addEventListener("error", (event) => endOnStray(event, event.error));
  addEventListener("unhandledrejection", (event) => endOnStray(event, event.reason));
  // exits at once: a user's module may have left a promise behind that never settles, of which Deno would complain
  Deno.exit(enterFolder() ? await main(Deno.args) : 1);
}
