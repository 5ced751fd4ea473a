/**
 * Difficulty of each target beside each company.
 *
 * @module
 */
import {
  computeSelfSimilarity,
  type Dataset,
  NonFiniteError,
  type OnProgress,
  takeSamples,
} from "../../../mod.ts";
import { estimateMean } from "../../report/intervals.ts";
import { type Estimate, summarise } from "../../report/statistics.ts";
import type { Run } from "../experiment.ts";
import { mapKeys } from "../shared/records.ts";
import { offsetSeed } from "../shared/settings.ts";
import { createNetwork, type Trained, trainOnce } from "../shared/training.ts";
import { type Arm, ARMS, type Company, dividePool, findCompanies } from "./companies.ts";
import type { Settings } from "./settings.ts";

/** One target's difficulties. */
export interface Watched {
  readonly target: number;
  readonly label: number;
  /** Company and difficulties by arm; difficulties in nats, one for each seed. */
  readonly arms: Readonly<Record<Arm, Company & { readonly difficulty: readonly number[] }>>;
}

/** Trains on every target in every company; targets that fail to train are left out. */
export async function watchTargets(run: Run<Settings>, pool: Dataset): Promise<Watched[]> {
  const { settings, engine, definition } = run;
  const { weights } = await trainKernelNetwork(run, pool);
  using network = engine.network(definition, weights, pool.shape);
  using rows = await engine.project(network, pool);
  const kernel = { rows, self: await computeSelfSimilarity(rows) };
  const { targets, base, free } = dividePool(settings);
  const watched: Watched[] = [];
  for (const target of targets) {
    const outcome = await run.step(`target-${target}`, async (onProgress) => {
      using own = await engine.project(network, takeSamples(pool, [target]));
      const companies = await findCompanies(own, kernel, target, free, settings);
      try {
        return await watchTarget(run, pool, target, base, companies, onProgress);
      } catch (error) {
        if (!(error instanceof NonFiniteError)) throw error;
        return error.message;
      }
    });
    if (typeof outcome === "string") run.exclude(`target ${target}`, outcome);
    else watched.push(outcome);
  }
  if (watched.length === 0) {
    throw new NonFiniteError(
      "Cannot compare: got no target that was learnt, need one; lower learningRate",
    );
  }
  return watched;
}

async function trainKernelNetwork(run: Run<Settings>, pool: Dataset): Promise<Trained> {
  const { kernelEpochs: epochs, seed } = run.settings;
  const options = { epochs, batch: 64, learningRate: 0.02 };
  const trained = await trainOnce(run, { name: "kernel", data: pool, seed, ...options });
  if (trained) return trained;
  throw new NonFiniteError(
    "Cannot take the kernel: got a network that failed to train, need one that learns; raise kernelEpochs",
  );
}

async function watchTarget(
  run: Run<Settings>,
  pool: Dataset,
  target: number,
  base: readonly number[],
  companies: Readonly<Record<Arm, Company>>,
  onProgress: OnProgress,
): Promise<Watched> {
  const { seed, seeds, epochs, learningRate, momentum } = run.settings;
  const difficulties = mapKeys(ARMS, (): number[] => []);
  let done = 0;
  for (let i = 0; i < seeds; i++) {
    // arms take turns, so that each sees every network's first weights
    for (const arm of ARMS) {
      using network = createNetwork(run, pool, offsetSeed(seed, 1 + i));
      const set = takeSamples(pool, [target, ...base, ...companies[arm].samples]);
      const { difficulty } = await run.engine.train(network, set, {
        epochs,
        learningRate,
        momentum,
        batch: "full",
      });
      difficulties[arm].push(difficulty[0]);
      onProgress(++done, seeds * ARMS.length);
    }
  }
  const arms = mapKeys(ARMS, (arm) => ({ ...companies[arm], difficulty: difficulties[arm] }));
  return { target, label: pool.labels[target], arms };
}

/** Geometric mean over targets of an arm's difficulty relative to that of the random arm, each averaged over the seeds. */
export function estimateRatio(watched: readonly Watched[], arm: Arm): Estimate {
  const mean = (values: readonly number[]) => summarise(values).mean!;
  const { value, low, high } = estimateMean(
    watched.map(({ arms }) => Math.log(mean(arms[arm].difficulty) / mean(arms.random.difficulty))),
  );
  return {
    value: Math.exp(value),
    low: low === null ? null : Math.exp(low),
    high: high === null ? null : Math.exp(high),
  };
}

/** Mean over targets of an arm's relation to them. */
export function averageRelation(watched: readonly Watched[], arm: Arm): number {
  return summarise(watched.map(({ arms }) => arms[arm].relation)).mean!;
}
