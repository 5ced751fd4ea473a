/**
 * Finding wrong labels: a known share of labels is flipped, a network learns them, and samples are ranked by how little they resemble
 * their own class under the lpNTK, beside the losses that are commonly used; for the worst suspects, the kernel says why.
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { claimNoise, noteNoise } from "./claims.ts";
import {
  drawRanking,
  drawSuspects,
  tabulateRankings,
  tabulateSuggestions,
  tabulateSuspects,
} from "./figures.ts";
import { judgeSeeds } from "./measure.ts";
import { rankCheckpoints, summariseRanking } from "./rankings.ts";
import { checkSettings, QUICK, SETTINGS } from "./settings.ts";
import { explainSuspects } from "./suspects.ts";

/** Experiment of ours: the practical use of the kernel. */
export const noise: Experiment<typeof SETTINGS> = {
  name: "noise",
  source: "ours, on sections 3 and 3.1",
  about: "find wrong labels by the kernel and by losses, and say why each is suspected",
  settings: SETTINGS,
  quick: QUICK,
  paper: {},

  async run(run) {
    const { checkpoints, share } = run.settings;
    checkSettings(run.settings);
    const judgements = await judgeSeeds(run);
    const rankings = rankCheckpoints(checkpoints, judgements);
    const [first] = judgements;
    const suspects = await explainSuspects(run, first);
    return {
      metrics: { rankings: rankings.map(summariseRanking), suspects },
      tables: [
        tabulateRankings(rankings, share),
        tabulateSuggestions(rankings),
        tabulateSuspects(first.noisy, suspects),
      ],
      figures: [
        ...await Promise.all(rankings.map(drawRanking)),
        drawSuspects(first, suspects),
      ],
      claims: claimNoise(rankings),
      notes: noteNoise(rankings),
    };
  },
};
