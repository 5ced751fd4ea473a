/**
 * The demo: wrong labels and copies are planted among the embedded digits, and `lpntk clean` has to find them.
 *
 * @module
 */
import { main } from "../cli/main.ts";
import { readCsv } from "../engine/formats/csv.ts";
import { type Dataset, drawDigits, flipLabels, takeSamples, writeFolder } from "../mod.ts";

/** Folder of the data set and of what is found, within the working folder. */
const FOLDER = "runs/demo";
const DATA = `${FOLDER}/digits`;
const OUT = `${FOLDER}/clean`;

const SIZE = 1000;
const WRONG_SHARE = 0.08;
const COPIES = 20;

/** What is planted: samples of which those from SIZE on are copies, and the true label of each. */
interface Planted {
  readonly data: Dataset;
  readonly truth: Int32Array;
}

/** Draws digits, gives some a wrong label, and appends copies of some that are right. */
function plant(): Planted {
  const { indices: _, ...digits } = drawDigits("train", { size: SIZE });
  const { data: noisy, flipped } = flipLabels(digits, WRONG_SHARE);
  const wrong = new Set(flipped);
  const twice = [...digits.labels.keys()].filter((n) => !wrong.has(n)).slice(0, COPIES);
  const order = [...digits.labels.keys(), ...twice];
  const { indices: __, ...data } = takeSamples(noisy, order);
  return { data, truth: takeSamples(digits, order).labels };
}

/** Counts what of the planted faults was found, and says so. */
async function compare({ data, truth }: Planted): Promise<void> {
  const { verification: { arms } } = JSON.parse(await Deno.readTextFile(`${OUT}/summary.json`));
  const suspects = (await readCsv(`${OUT}/suspects.csv`, "suspects", ["index", "suggested"]))
    .map(({ cells }) => cells);
  const found = suspects.filter(({ index }) => data.labels[+index] !== truth[+index]);
  const named = found.filter(({ index, suggested }) => truth[+index] === Number(suggested));
  const copies = (await readCsv(`${OUT}/duplicates.csv`, "copies", ["index", "keep"]))
    .filter(({ cells }) => +cells.index >= SIZE && cells.keep === "0");
  const planted = truth.filter((label, n) => data.labels[n] !== label).length;
  console.log(`
planted among ${SIZE} digits: ${planted} wrong labels and ${COPIES} copies
found: ${found.length} of the wrong labels among ${suspects.length} suspects, ${named.length} with the right class; ${copies.length} of the copies
accuracy: ${
    arms.map(({ name, meanAccuracy }: { name: string; meanAccuracy: number }) =>
      `${name} ${(100 * meanAccuracy).toFixed(1)} %`
    ).join(", ")
  }
look at it: ${OUT}/index.html`);
}

function hasFolder(path: string): Promise<boolean> {
  return Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}

const planted = plant();
// the same call draws the same digits
if (!await hasFolder(DATA)) {
  await writeFolder(DATA, { train: planted.data, test: drawDigits("test") });
}
const call = ["clean", "--data", DATA, "--model", "mlp", "--verify", "--out", OUT];
console.log(`lpntk ${call.join(" ")}`);
const code = await main([...call, ...Deno.args]);
if (code === 0) await compare(planted);
Deno.exit(code);
