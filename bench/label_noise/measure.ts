/**
 * Measures what networks say of data sets with wrong labels:  deno run -A bench/label_noise/measure.ts OUT [SEEDS] [SIZES]
 *
 * Each cell and seed is a file of OUT; those that are there already are left alone, so that the bench resumes. SEEDS and SIZES are numbers with
 * commas (default: 0,1,2,3,4 and 800,6000). `bench/label_noise/judge.ts OUT` then says which method ranks best.
 *
 * @module
 */
import { openEngine } from "../../mod.ts";
import { CELLS, CHOOSING_SEEDS, JUDGING_SEEDS, nameCell } from "./cells.ts";
import { measureSignals } from "./signals.ts";

const [out, seeds, sizes] = Deno.args;
if (!out) {
  console.error("Usage: deno run -A bench/label_noise/measure.ts OUT [SEEDS] [SIZES]");
  Deno.exit(2);
}
const numbers = (text: string | undefined, all: readonly number[]) =>
  text ? text.split(",").map(Number) : all;
await Deno.mkdir(out, { recursive: true });
using engine = await openEngine();
for (const size of numbers(sizes, [800, 6000])) {
  for (const seed of numbers(seeds, [...CHOOSING_SEEDS, ...JUDGING_SEEDS])) {
    for (const cell of CELLS.filter((cell) => cell.size === size)) {
      const file = `${out}/${nameCell(cell).replace("% ", "").replaceAll(" ", "-")}-${seed}.json`;
      if (await Deno.stat(file).catch(() => undefined)) continue;
      const signals = await measureSignals(engine, cell, seed);
      // as much as a float32 holds
      const text = JSON.stringify(
        signals,
        (_, value) => typeof value === "number" ? Number(value.toPrecision(7)) : value,
      );
      await Deno.writeTextFile(`${file}.partial`, text);
      await Deno.rename(`${file}.partial`, file);
      console.log(`${nameCell(cell)}, seed ${seed}: ${signals.seconds.toFixed(0)} s`);
    }
  }
}
