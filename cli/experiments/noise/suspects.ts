/**
 * Reasons why the kernel suspects a label: the samples that contradict it, and those that it resembles once it has the suggested label.
 *
 * @module
 */
import { findWitnesses, type Witnesses } from "../../../mod.ts";
import type { Run } from "../experiment.ts";
import type { Judgement } from "./measure.ts";
import type { Settings } from "./settings.ts";

/** A suspect of the contact sheet, and why. */
export interface Suspect extends Witnesses {
  readonly sample: number;
  readonly suggested: number;
}

/** Number of samples on either side of a suspect. */
export const WITNESSES = 4;

/** Finds the samples that the kernel suspects most under one network, each with its witnesses. */
export async function explainSuspects(
  run: Run<Settings>,
  { scores, suggested, noisy: { data }, trained }: Judgement,
): Promise<Suspect[]> {
  const { engine, settings, definition } = run;
  return await run.step("suspects", async () => {
    const { candidate } = scores;
    const worst = [...candidate.keys()].sort((a, b) => candidate[b] - candidate[a])
      .slice(0, settings.suspects);
    const labels = worst.map((sample) => suggested.candidate[sample]);
    using network = engine.network(definition, trained.weights, data.shape);
    using rows = await engine.project(network, data, { normalise: true });
    const witnesses = await findWitnesses(engine, network, data, rows, {
      suspects: worst,
      suggested: labels,
      size: WITNESSES,
    });
    return worst.map((sample, s) => ({ sample, suggested: labels[s], ...witnesses[s] }));
  });
}
