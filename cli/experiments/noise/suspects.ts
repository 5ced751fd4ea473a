/**
 * Reasons why the kernel suspects a label: the samples that contradict it, and those that it resembles once it has the suggested label.
 *
 * @module
 */
import { computeGram, takeSamples } from "../../../mod.ts";
import type { Run } from "../experiment.ts";
import type { Judgement } from "./measure.ts";
import type { Settings } from "./settings.ts";

/** A suspect of the contact sheet, and why. */
export interface Suspect {
  readonly sample: number;
  readonly suggested: number;
  /** Samples that contradict it most: the least similar ones. */
  readonly against: readonly Witness[];
  /** Samples of the suggested class that it resembles most once it is labelled so. */
  readonly alike: readonly Witness[];
}

export interface Witness {
  readonly sample: number;
  readonly cosine: number;
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
    const chosen = takeSamples(data, worst);
    using given = await engine.project(network, chosen, { normalise: true });
    const relabelled = { ...chosen, labels: Int32Array.from(labels) };
    using tried = await engine.project(network, relabelled, { normalise: true });
    const [asGiven, asTried] = [await computeGram(given, rows), await computeGram(tried, rows)];
    const count = data.labels.length;
    return worst.map((sample, s): Suspect => {
      const witness = (cosines: Float32Array) => (other: number) => ({
        sample: other,
        cosine: cosines[s * count + other],
      });
      const others = [...data.labels.keys()].filter((other) => other !== sample);
      const alike = others.filter((other) => data.labels[other] === labels[s]);
      return {
        sample,
        suggested: labels[s],
        against: others.map(witness(asGiven)).sort((a, b) => a.cosine - b.cosine)
          .slice(0, WITNESSES),
        alike: alike.map(witness(asTried)).sort((a, b) => b.cosine - a.cosine).slice(0, WITNESSES),
      };
    });
  });
}
