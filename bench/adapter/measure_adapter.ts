/**
 * Measures an adapter stage by stage, and keeps what has been found where a cut leaves it.
 *
 * @module
 */
import type { Engine } from "../../engine/engine.ts";
import type { Gpu } from "../../engine/gpu/device.ts";
import { measureFreeMemory } from "../../engine/rows/room.ts";
import { type Device, openDevice, type UseAdapter } from "../open.ts";
import { describePlace } from "../report.ts";
import { refuseOtherAdapter } from "./compare.ts";
import { climb, type Found } from "./ladder.ts";
import { listLaunchStages } from "./launches.ts";
import {
  beginReport,
  cleanText,
  type Header,
  type Omission,
  type Report,
  type StageName,
  WHOLE_STAGE,
} from "./report.ts";
import { listRoads } from "./roads.ts";
import type { Sizes, Stage } from "./stage.ts";

/** How to measure an adapter. */
export interface AdapterRequest {
  /** The version of lpntk. */
  readonly version: string;
  readonly minutes: number;
  readonly sizes: Sizes;
  readonly use: UseAdapter;
  /** The checks of `lpntk doctor`. */
  readonly check: (engine: Engine) => Promise<Report["checks"]>;
  /** Keeps the report as it stands; called again and again. */
  readonly keep: (report: Report) => Promise<void>;
  /** A report to compare with, whose sizes are taken where they fit. */
  readonly baseline?: Report;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Measures the system's preferred adapter within some minutes.
 *
 * What fails, does not fit, or has no time left is named in the report. A stage that has begun ends its current measurement, so that the
 * minutes may be exceeded by one, and by the checks, which are never left out.
 *
 * @throws what opening the adapter throws, and what `keep` throws; {RangeError} if the baseline is of another adapter.
 */
export async function measureAdapter(request: AdapterRequest): Promise<Report> {
  const start = performance.now();
  const { sizes, minutes, keep, onProgress } = request;
  using session = await Session.open(request.use);
  const report = beginReport(await describeSession(session, request));
  if (request.baseline) refuseOtherAdapter(request.baseline, report);
  const book = new Book(report, keep, request.baseline);
  const stages = [...listLaunchStages(sizes), ...listRoads(sizes)];
  const deadline = start + 60_000 * minutes;
  await book.enter("checks", () => check(report, session, request.check));
  for (const [i, stage] of stages.entries()) {
    onProgress?.(1 + i, 1 + stages.length);
    const rest = stages.slice(i).reduce((sum, { share }) => sum + share, 0);
    const now = performance.now();
    const end = now + Math.max(0, deadline - now) * stage.share / rest;
    const isSure = stage.isDecisive === true && now < deadline;
    const run = () => runStage(book, session, { stage, deadline: end, sizes, isSure });
    await book.enter(stage.name, run);
  }
  onProgress?.(1 + stages.length, 1 + stages.length);
  return report;
}

/** The adapter, opened anew where a measurement has lost it. */
class Session implements Disposable {
  private constructor(private readonly use: UseAdapter, private device: Device) {}

  static async open(use: UseAdapter): Promise<Session> {
    return new Session(use, await openDevice(use));
  }

  /** The device as it is. */
  get current(): Device {
    return this.device;
  }

  /** A device that computes. */
  async renew(): Promise<Device> {
    if (isSound(this.device.gpu)) return this.device;
    this.device.engine.dispose();
    return this.device = await openDevice(this.use);
  }

  [Symbol.dispose](): void {
    this.device.engine.dispose();
  }
}

function isSound(gpu: Gpu): boolean {
  try {
    gpu.check();
    return true;
  } catch {
    return false;
  }
}

/** Writes into a report, and keeps it after every entry. */
class Book {
  constructor(
    private readonly report: Report,
    private readonly keep: (report: Report) => Promise<void>,
    private readonly baseline: Report | undefined,
  ) {}

  /** Runs a stage; a failure that is none of an item's is named as the stage's. */
  async enter(name: StageName, run: () => Promise<void>): Promise<void> {
    const start = performance.now();
    const stage = this.report.stages[name];
    stage.state = "begun";
    await this.keep(this.report);
    await run().catch((error) => {
      this.report.omissions.push({ stage: name, ...describeFailure(WHOLE_STAGE, error) });
    });
    Object.assign(stage, { state: "done", seconds: round((performance.now() - start) / 1000) });
    await this.keep(this.report);
  }

  async add(stage: StageName, found: Found): Promise<void> {
    if ("measurement" in found) this.report.measurements.push({ stage, ...found.measurement });
    else this.report.omissions.push({ stage, ...found.omission });
    await this.keep(this.report);
  }

  /** The size at which the baseline has it: the largest, in the first of its dimensions. */
  findSize(stage: StageName, name: string): number | undefined {
    const sizes = (this.baseline?.measurements ?? [])
      .filter((measured) => measured.stage === stage && measured.name === name)
      .map(({ shape }) => Object.values(shape)[0] ?? 1);
    return sizes.length > 0 ? Math.max(...sizes) : undefined;
  }
}

async function check(
  report: Report,
  session: Session,
  run: AdapterRequest["check"],
): Promise<void> {
  const { engine } = session.current;
  const { rates } = await engine.tune();
  report.variant = Object.keys(rates)[0];
  // NaN is nothing that JSON has
  const finite = (error: number | null) => Number.isFinite(error) ? error : null;
  report.checks = (await run(engine)).map(({ kernels, error, passed }) => ({
    kernels,
    error: finite(error),
    passed,
  }));
}

/** Measures what a stage lists; each item has its part of the time that is left. */
async function runStage(
  book: Book,
  session: Session,
  { stage, deadline, sizes, isSure }: {
    readonly stage: Stage;
    readonly deadline: number;
    readonly sizes: Sizes;
    readonly isSure: boolean;
  },
): Promise<void> {
  let device = await session.renew();
  let stack = new DisposableStack();
  try {
    let items = stage.list(device, stack);
    for (let i = 0; i < items.length; i++) {
      if (!isSound(device.gpu)) {
        stack.dispose();
        stack = new DisposableStack();
        device = await session.renew();
        items = stage.list(device, stack);
      }
      const now = performance.now();
      const bounds = {
        deadline: now + (deadline - now) / (items.length - i),
        end: deadline,
        now: () => performance.now(),
        // a card's memory is its own, and it does not tell how much it has
        room: device.gpu.adapter.isFallback ? measureFreeMemory() : Infinity,
        measurementMs: sizes.measurementMs,
        most: book.findSize(stage.name, items[i].name),
        isSure,
      };
      try {
        for await (const found of climb(device.gpu, items[i], bounds)) {
          await book.add(stage.name, found);
        }
      } catch (error) {
        await book.add(stage.name, { omission: describeFailure(items[i].name, error) });
      }
    }
  } finally {
    stack.dispose();
  }
}

/** Absolute paths and file URLs, which tell of the machine's owner. */
const PATHS = /\bfile:\/\/[^\s'"`,;()]+|(?<![\w.)])(?:[A-Za-z]:[\\/]|[\\/~])[^\s'"`,;:()]+/g;

/** What failed, in a line without paths. */
export function describeFailure(name: string, error: unknown): Omit<Omission, "stage"> {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { name, kind: "failed", reason: cleanText(text.replace(PATHS, "[path]")) };
}

async function describeSession(
  session: Session,
  { version, minutes }: AdapterRequest,
): Promise<Header> {
  const { adapter, device: { limits } } = session.current.gpu;
  const { name, vendor, backend, features, isFallback, subgroupMinSize, subgroupMaxSize } = adapter;
  const numbers: Record<string, number> = {};
  for (const limit in limits) {
    const value = limits[limit as keyof typeof limits];
    if (typeof value === "number") numbers[limit] = value;
  }
  const { deno, commit, date } = await describePlace(name);
  return {
    lpntk: version,
    commit,
    date,
    deno,
    host: {
      os: Deno.build.os,
      architecture: Deno.build.arch,
      cpus: navigator.hardwareConcurrency,
    },
    adapter: {
      name: cleanText(name),
      vendor: cleanText(vendor),
      backend,
      isCpu: isFallback,
      subgroupSizes: [subgroupMinSize, subgroupMaxSize],
    },
    limits: numbers,
    features: [...features],
    minutes,
  };
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
