/**
 * Tables and figures of `noise`.
 *
 * @module
 */
import { indexSample, nameClass, type Witness } from "../../../mod.ts";
import { nameLabel } from "../../known_samples.ts";
import { drawBars } from "../../report/charts.ts";
import { drawSamples, pictureSample } from "../../report/contact_sheet.ts";
import type { Estimate } from "../../report/statistics.ts";
import { isolate } from "../../report/text.ts";
import type { Figure, Table } from "../experiment.ts";
import type { Judgement, Noisy } from "./measure.ts";
import { estimateRate, type Ranking } from "./rankings.ts";
import { SCORE_KEYS, SCORES, SUGGESTER_KEYS, SUGGESTERS } from "./scores.ts";
import { type Suspect, WITNESSES } from "./suspects.ts";

/**
 * Table of how well every score ranks at each checkpoint.
 *
 * @param share of the labels that are flipped
 */
export function tabulateRankings(rankings: readonly Ranking[], share: number): Table {
  return {
    name: "rankings",
    caption: `Means over seeds, with 95% intervals; k is the number of flipped labels, ${
      (100 * share).toFixed(0)
    }%`,
    rows: rankings.flatMap(({ epochs, auroc, precision }) =>
      SCORE_KEYS.map((score) => ({
        epochs,
        score: SCORES[score].name,
        needs: SCORES[score].needs,
        ...spread("AUROC", estimateRate(auroc[score])),
        ...spread("precision at k", estimateRate(precision[score])),
      }))
    ),
  };
}

/** Table of how often suggested labels are right. */
export function tabulateSuggestions(rankings: readonly Ranking[]): Table {
  return {
    name: "suggestions",
    caption: "How often the suggested label of a flipped sample is the right one",
    rows: rankings.flatMap(({ epochs, right, testAccuracy }) =>
      SUGGESTER_KEYS.map((by) => ({
        epochs,
        "suggested by": SUGGESTERS[by],
        ...spread("share right", estimateRate(right[by])),
        "test accuracy": estimateRate(testAccuracy).value,
      }))
    ),
  };
}

/** Spreads an estimate over three columns of a table. */
function spread(name: string, { value, low, high }: Estimate) {
  return { [name]: value, [`${name}: low`]: low, [`${name}: high`]: high };
}

/** Table of the suspects with their labels: the given, the suggested and the true one. */
export function tabulateSuspects(
  { data, truth }: Noisy,
  suspects: readonly Suspect[],
): Table {
  return {
    name: "suspects",
    caption: "The samples that the kernel suspects most",
    rows: suspects.map(({ sample, suggested }) => ({
      sample: indexSample(data, sample),
      ...data.files && { file: data.files[sample] },
      given: nameLabel(data, data.labels[sample]),
      suggested: nameLabel(data, suggested),
      truth: nameLabel(data, truth[sample]),
    })),
  };
}

/** Figure of how far each score is from ranking without a mistake. */
export async function drawRanking({ epochs, count, auroc }: Ranking): Promise<Figure> {
  const wrong = (value: number) => 100 * Math.min(1, Math.max(0, 1 - value));
  return {
    name: `ranking-${epochs}`,
    caption: `After ${epochs} epochs: share of pairs of a flipped and an unflipped sample that ` +
      "stand in the wrong order, 1 - AUROC; shorter is better",
    svg: await drawBars(
      SCORE_KEYS.map((score) => {
        const { value, low, high } = estimateRate(auroc[score]);
        const ends = low === null ? {} : { low: wrong(high!), high: wrong(low) };
        return { name: SCORES[score].name, value: wrong(value), ...ends };
      }),
      {
        title: `Wrong labels among right ones, after ${epochs} epochs`,
        x: { title: "Pairs in the wrong order (%)" },
        whiskers: count > 1 ? `95% interval over ${count} seeds` : undefined,
      },
    ),
  };
}

/** Contact sheet of the suspects under one network, each with its witnesses. */
export function drawSuspects(
  { epochs, noisy: { data, truth } }: Judgement,
  suspects: readonly Suspect[],
): Figure {
  const name = (label: number) => isolate(nameClass(data, label));
  const show = ({ position, cosine }: Witness) =>
    pictureSample(data, position, `cos ${cosine.toFixed(2)}`);
  const groups = suspects.map(({ sample, suggested, against, for: alike }) => ({
    caption: `Sample ${indexSample(data, sample)}, labelled ${
      name(data.labels[sample])
    }; what contradicts it most; what it resembles as a ${name(suggested)} (in truth ${
      name(truth[sample])
    })`,
    images: [
      pictureSample(data, sample, "labelled"),
      ...against.map(show),
      ...alike.map(show),
    ],
  }));
  return {
    name: "suspects",
    caption:
      `What the kernel suspects most after ${epochs} epochs; then, of each, the ${WITNESSES} samples that contradict it most, and the ${WITNESSES} that it resembles most once it has the suggested label`,
    svg: drawSamples(groups, "Suspects, and why"),
  };
}
