/**
 * Notes on standard error: what is no mistake in itself, but should be known.
 *
 * @module
 */
import { type Dataset, findEmptyClasses, nameClass } from "../mod.ts";
import { describeName } from "../engine/options.ts";
import { findCacheFailure } from "../engine/tuning/memory.ts";
import { say } from "./print.ts";

/** Most classes that are named; the rest is counted. */
const LISTED = 8;

const said = new Set<string>();

/** Says a note once on standard error, however often it comes. */
export function noteOnce(note: string): void {
  if (said.has(note)) return;
  said.add(note);
  say(`note: ${note}`);
}

/** Says once on standard error that measurements of the adapter cannot be kept, so that every call repeats them. */
export function noteCacheFailure(): void {
  const failure = findCacheFailure();
  if (failure === undefined || said.has(failure)) return;
  said.add(failure);
  say(
    `lpntk: the adapter was measured, and will be in each call: the cache folder cannot be written (${failure}); set XDG_CACHE_HOME to one that can`,
  );
}

/**
 * Says once for each split on standard error which classes have no sample: often a sign of labels that count from 1. Fewer samples than classes
 * cannot cover all classes; of them it says so only if class 0 alone is missing.
 */
export function noteEmptyClasses(data: Dataset): void {
  const count = data.classes - new Set(data.labels).size;
  const key = `${data.name} ${data.split}`;
  if (count === 0 || said.has(key)) return;
  // there may be as many as 2^31
  const empty = findEmptyClasses(data).take(LISTED).toArray();
  const isShifted = !data.classNames && count === 1 && empty[0] === 0;
  if (data.labels.length < data.classes && !isShifted) return;
  said.add(key);
  const listed = listClasses(data, empty, count);
  const [subject, verb] = count === 1 ? ["class", "has"] : ["classes", "have"];
  const hint = empty[0] === 0 && !data.classNames ? "; where labels count from 1, subtract 1" : "";
  say(
    `lpntk: ${subject} ${listed} ${verb} no sample in ${data.name} (${data.split})${hint}`,
  );
}

/**
 * Says which classes have a single sample, whose labels cannot be judged, and which have none among the samples that are kept.
 *
 * @param kept positions of the samples that are kept
 */
export function noteLoneClasses(data: Dataset, kept: ArrayLike<number>): void {
  const [counts, left] = [new Int32Array(data.classes), new Int32Array(data.classes)];
  for (const label of data.labels) counts[label]++;
  for (const position of Array.from(kept)) left[data.labels[position]]++;
  const list = (isListed: (label: number) => boolean) => {
    const labels = [...counts.keys()].filter(isListed);
    return listClasses(data, labels, labels.length);
  };
  const lone = list((label) => counts[label] === 1);
  if (lone !== "") noteOnce(`a single sample, whose label nothing can judge, is in class ${lone}`);
  const lost = list((label) => counts[label] > 0 && left[label] === 0);
  if (lost !== "") noteOnce(`keep.npy has no sample of class ${lost}`);
}

/** Names the first of `count` classes, and counts the rest. */
function listClasses(data: Dataset, labels: readonly number[], count: number): string {
  const named = labels.slice(0, LISTED).map((label) => describeName(nameClass(data, label)));
  const rest = count - named.length;
  return named.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
