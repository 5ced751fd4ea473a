/**
 * What a user should know of data that is no mistake in itself.
 *
 * @module
 */
import { type Dataset, findEmptyClasses } from "../mod.ts";
import { findCacheFailure } from "../engine/gpu/memory.ts";
import { say } from "./print.ts";

/** Classes that are named; the rest is counted. */
const LISTED = 8;

const said = new Set<string>();

/** Says on standard error, once, that what was measured of the adapter is not kept: the time that it took is lost in every call. */
export function noteCacheFailure(): void {
  const failure = findCacheFailure();
  if (failure === undefined || said.has(failure)) return;
  said.add(failure);
  say(
    `lpntk: the adapter was measured, and will be in each call: the cache folder cannot be written (${failure}); set XDG_CACHE_HOME to one that can`,
  );
}

/**
 * Says on standard error which classes no sample is of, once for a data set's split: a sign of labels that count from 1. Samples that are
 * fewer than the classes cannot be of all; of them nothing is said, unless the first class alone is missing.
 */
export function noteEmptyClasses(data: Dataset): void {
  const count = data.classes - new Set(data.labels).size;
  const key = `${data.name} ${data.split}`;
  if (count === 0 || said.has(key)) return;
  const empty = findEmptyClasses(data).take(LISTED).toArray();
  const isShifted = count === 1 && empty[0] === 0;
  if (data.labels.length < data.classes && !isShifted) return;
  said.add(key);
  const rest = count - empty.length;
  const listed = empty.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
  const [subject, verb] = count === 1 ? ["class", "has"] : ["classes", "have"];
  const hint = empty[0] === 0 ? "; where labels count from 1, subtract 1" : "";
  say(
    `lpntk: ${subject} ${listed} ${verb} no sample in ${data.name} (${data.split})${hint}`,
  );
}
