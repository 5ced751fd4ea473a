/** Files with networks, and checkpoints, as others write them: computed as meant, or refused in one line. @module */
import assert from "node:assert/strict";
import { parseLayers } from "../../cli/commands/values.ts";
import { loadDefinition } from "../../cli/model.ts";
import { encodeSafetensors, loadWeights } from "../../mod.ts";
import { dotBound } from "../../engine/reference/numbers.ts";
import { openTempFolder } from "../temp_folder.ts";
import {
  assertRefused,
  callHere,
  finish,
  prepareDeno,
  prepareLpntk,
  readArray,
  readJson,
  ROOT,
} from "./process.ts";

const TYPED = `
import type { Layers, NetworkDefinition } from "lpntk";

const mine: NetworkDefinition = {
  name: "mine",
  forward(layers: Layers, images) {
    const first = layers.convolution("conv1", images, { filters: 2, size: 3, stride: 3 });
    const pooled = layers.add(layers.maxPool(first, 3), layers.averagePool(first, 3));
    const hidden = layers.dense("fc1", layers.flatten(layers.gelu(pooled)), 5);
    return layers.dense("fc2", layers.dropout(layers.tanh(hidden), 0.5), layers.classes);
  },
};
export default mine;
`;

/** Arguments of Deno as where lpntk is installed: no import map knows it, and all that it needs is in the cache. */
const NO_MAP = ["--no-config", "--lock", `${ROOT}/deno.lock`];

const DATA = ["--data", "digits", "--train-size", "20"];

async function succeed(args: readonly string[], stderr: readonly string[] = []): Promise<string> {
  const said = await callHere(args);
  const lines = stderr.map((line) => `${line}\n`).join("");
  assert.deepEqual({ code: said.code, stderr: said.stderr }, { code: 0, stderr: lines });
  return said.stdout.trimEnd();
}

async function fail(args: readonly string[], code: number, message: RegExp): Promise<void> {
  const said = await callHere(args);
  assert.equal(said.code, code, said.stderr);
  assert.match(said.stderr, message);
}

Deno.test("the network of the documents is taken as it stands there", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  const file = `${path}/my_net.ts`;
  const page = await Deno.readTextFile(`${ROOT}/docs/networks.md`);
  await Deno.writeTextFile(file, /^```ts\n(.*?)^```$/ms.exec(page)![1]);
  const plan = await succeed(["plan", "--model", file, "--samples", "64", "--json"]);
  // 8 filters of 3 x 3 with a bias over 1 and over 8 channels, then the inputs and output gradients of a dense layer
  assert.equal(JSON.parse(plan).layout.length, 8 * (9 * 1 + 1) + 8 * (9 * 8 + 1) + (8 + 1) + 10);
  // the others are of images with colours: PyTorch's modules of these layers have as many parameters
  const others = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code)
    .filter((code) => code.includes("export default")).slice(1);
  for (const [i, parameters] of [41_186, 29_482].entries()) {
    const other = `${path}/other${i}.ts`;
    await Deno.writeTextFile(other, others[i]);
    assert.ok(others[i].trimEnd().split("\n").length <= 40);
    const listed = await succeed(["model", other, "--shape", "32x32x3", "--json"]);
    assert.equal(JSON.parse(listed).counted, parameters);
  }
});

Deno.test("a file outside of the project that imports types alone runs where the package does not resolve", async () => {
  await using temp = await openTempFolder();
  const { path: cwd } = temp;
  await Deno.writeTextFile(`${cwd}/typed.ts`, TYPED);
  await Deno.writeTextFile(
    `${cwd}/valued.ts`,
    TYPED.replace("import type {", "import { relu, type"),
  );
  const lpntk = (...args: string[]) =>
    finish(prepareDeno(["run", "-A", ...NO_MAP, `${ROOT}/cli/main.ts`, ...args], { cwd }));
  const train = (model: string) =>
    lpntk("train", "--model", model, ...DATA, "--test-size", "9", "--epochs", "1", "--out", "a");
  assertRefused(
    await train("./valued.ts"),
    'Import "lpntk" not a dependency',
    "write `import type`, and layers.relu for relu",
  );
  assert.deepEqual((await train("./typed.ts")).code, 0);
  const weights = await loadWeights(`${cwd}/a/weights.safetensors`);
  assert.deepEqual([...weights.keys()], [
    "conv1.weight",
    "conv1.bias",
    "fc1.weight",
    "fc1.bias",
    "fc2.weight",
    "fc2.bias",
  ]);
});

Deno.test("a module that never ends, exports nothing to call or fails is one line", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  const write = async (name: string, source: string) => {
    await Deno.writeTextFile(`${path}/${name}.ts`, source);
    return `${path}/${name}.ts`;
  };
  const refused: [name: string, source: string, state: RegExp][] = [
    ["text", "export default 'net';", /a default export whose name is undefined/],
    ["nothing", "export const forward = 1;", /no default export/],
    ["undefined", "export default undefined;", /whose name is undefined/],
    [
      "call",
      "export default (layers, x) => x;",
      /that is a function.* with that function as forward/,
    ],
    ["uncalled", "export default { name: 'net', forward: 5 };", /whose forward is number/],
    ["null", "throw null;", /a thrown null/],
    [
      "odd",
      "throw Object.defineProperty({}, 'x', { enumerable: true, get() { throw 1; } });",
      /a thrown object/,
    ],
    ["syntax", "export default {", /SyntaxError/],
  ];
  for (const [name, source, state] of refused) {
    await assert.rejects(loadDefinition(await write(name, source)), {
      name: "FileError",
      message: state,
    });
  }
  const own = await write("own", "export default class Net { static forward(layers, x) {} }");
  assert.equal((await loadDefinition(own)).name, "Net");
  // in a process of its own, since a promise that never settles would end this one
  const never = await write("never", "await new Promise(() => {}); export default 1;");
  const loader = await write(
    "loader",
    `import { loadDefinition } from ${JSON.stringify(`${ROOT}/cli/model.ts`)};
    const error = await loadDefinition(${
      JSON.stringify(never)
    }, { patienceMs: 300 }).catch((e) => e);
    console.log(error.name, error.message);
    Deno.exit();`,
  );
  const { code, stdout, stderr } = await finish(prepareDeno(["run", "-A", loader]));
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(
    stdout,
    /^FileError Cannot use \S+ as a network: got a module whose top-level await has not ended after 0.3 s, need [^\n]+\n$/,
  );
  // a task that is left in the background prints nothing after lpntk's own line
  const left = await write(
    "left",
    `import(${JSON.stringify(never)}); export default { name: "left", forward() {} };`,
  );
  const out = `${path}/out`;
  const trained = prepareLpntk(["train", "--model", left, ...DATA, "--out", out]);
  assertRefused(await finish(trained), "Cannot build left: got nothing from its forward pass");
  // a forward pass that failed later used to end the process without lpntk's line
  const late = await write(
    "late",
    "export default { name: 'late', async forward() { await 1; throw new Error('late'); } };",
  );
  const failed = prepareLpntk(["train", "--model", late, ...DATA, "--out", out]);
  assertRefused(await finish(failed), "Cannot build late: got a promise from its forward pass");
});

Deno.test("what was taken off or left out of a checkpoint is said, and nothing else changes", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  await Deno.writeTextFile(`${path}/mine.ts`, TYPED);
  const model = ["--model", `${path}/mine.ts`];
  const train = [...DATA, "--test-size", "9", "--epochs", "1", "--out", `${path}/a`];
  await succeed(["train", ...model, ...train]);
  const weights = await loadWeights(`${path}/a/weights.safetensors`);
  const wrapped = new Map(
    [...weights].map(([name, tensor]) => [`module._orig_mod.${name}`, tensor]),
  );
  await Deno.writeFile(`${path}/wrapped.safetensors`, addFlags(encodeSafetensors(wrapped)));
  const gram = (name: string) => [
    "gram",
    ...model,
    "--weights",
    `${path}/${name}`,
    ...DATA,
    "--out",
    `${path}/${name.replace(/\W/g, "")}.npy`,
  ];
  await succeed(gram("a/weights.safetensors"));
  const said = [
    `lpntk: took 'module._orig_mod.' off every name in ${path}/wrapped.safetensors`,
    `lpntk: left out of ${path}/wrapped.safetensors what is neither floating-point nor the network's: module._orig_mod.mask`,
  ];
  await succeed(gram("wrapped.safetensors"), said);
  const kernels = await Promise.all(
    ["aweightssafetensors", "wrappedsafetensors"].map((name) =>
      readArray(`${path}/${name}.npy`, Float32Array, [20, 20])
    ),
  );
  assert.deepEqual(kernels[1], kernels[0]);
  const plan = ["plan", ...model, "--weights", `${path}/wrapped.safetensors`, "--samples", "9"];
  await succeed(plan, said);

  // the kernels of some layers add up to the whole kernel; a stored kernel has no layers
  const part = (layers: string, out: string, ...more: string[]) => [
    "gram",
    ...model,
    "--weights",
    `${path}/a/weights.safetensors`,
    ...DATA,
    "--layers",
    layers,
    "--out",
    `${path}/${out}`,
    ...more,
  ];
  await succeed(part("conv1", "conv.npy"));
  await succeed(part("fc2, fc1", "dense.npy"));
  const [conv, dense] = await Promise.all(
    ["conv.npy", "dense.npy"].map((name) => readArray(`${path}/${name}`, Float32Array, [20, 20])),
  );
  const largest = Math.max(...kernels[0]);
  kernels[0].forEach((value, i) => {
    // no sum of products' sizes is larger than the largest entry (Cauchy and Schwarz), and a row has 60 floats
    const bound = 2 * dotBound(60, largest);
    assert.ok(Math.abs(conv[i] + dense[i] - value) <= bound, `entry ${i}`);
  });
  assert.ok(conv.some((value) => value !== 0) && dense.some((value) => value !== 0));
  await fail(
    part("conv1,fc3", "x.npy"),
    2,
    /got fc3, need some of conv1, fc1, fc2; did you mean fc1\?/,
  );
  assert.throws(() => parseLayers("conv1,conv1"), { message: /names of different layers/ });
  assert.throws(() => parseLayers("conv1,"), { message: /need names of layers such as conv1,fc1/ });
  await fail(part("fc3", "x.zarr"), 2, /got fc3/);
  await assert.rejects(Deno.stat(`${path}/x.zarr`), Deno.errors.NotFound);

  // a store of other layers is another job, in whichever order they are named
  await succeed(part("fc1,conv1", "K.zarr"));
  const { attributes } = await readJson(`${path}/K.zarr/zarr.json`);
  assert.match(JSON.stringify(attributes), /"layers":\["conv1","fc1"\]/);
  assert.match(await succeed(part("conv1,fc1", "K.zarr")), /1 of 1 tiles were there/);
  await fail(part("conv1", "K.zarr"), 1, /layers \["conv1","fc1"\], now \["conv1"\]/);
  const whole = part("conv1", "K.zarr").filter((arg) => arg !== "--layers" && arg !== "conv1");
  await fail(whole, 1, /layers \["conv1","fc1"\], now unset/);

  const source = ["--weights", `${path}/a/weights.safetensors`, ...DATA, "--layers", "fc2"];
  for (
    const [command, ...more] of [
      ["redundant"],
      ["relate"],
      ["cluster"],
      ["neighbours", "--test", "1"],
      ["prune", "--method", "redundant"],
    ]
  ) {
    const out = `${path}/${command}`;
    await succeed([command, ...model, ...source, ...more, "--out", out]);
    assert.deepEqual((await readJson(`${out}/run.json`)).options.layers, ["fc2"], command);
  }
  const similarity = await readArray(`${path}/neighbours/similarity.npy`, Float32Array, [1, 20]);
  assert.ok(similarity.some((value) => value !== 0));
  assert.match(
    await succeed(["plan", ...model, "--samples", "9", "--layers", "fc1"]),
    /floats a sample.*\n +fc1 .*\ntiles/,
  );
  const stored = [
    "relate",
    "--kernel",
    `${path}/conv.npy`,
    "--layers",
    "fc1",
    "--out",
    `${path}/r`,
  ];
  await fail(stored, 2, /got both --kernel and --layers/);
  await fail(
    ["prune", "--method", "random", ...DATA, "--layers", "fc1", "--out", `${path}/p`],
    2,
    /got --layers, need none for --method random/,
  );
});

Deno.test("weights alone are counted where that is asked for, and recorded with what is computed", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  const file = `${path}/normed.ts`;
  const forward = `(layers, images) {
    const first = layers.batchNorm("norm", layers.dense("fc1", layers.flatten(images), 3));
    return layers.dense("fc2", layers.relu(first), layers.classes);
  }`;
  await Deno.writeTextFile(file, `export default { name: "normed", forward${forward} };`);
  const out = `${path}/a`;
  await succeed([
    ...["train", "--model", file, ...DATA, "--test-size", "9"],
    ...["--epochs", "1", "--out", out],
  ], ["note: batch norms were trained with the running statistics that they began with"]);
  const model = ["--model", file, "--weights", `${out}/weights.safetensors`];
  const gram = (to: string, ...more: string[]) =>
    succeed(["gram", ...model, ...DATA, "--out", `${path}/${to}`, ...more]);
  await gram("all.npy");
  await gram("weights.npy", "--parameters", "weights");
  await gram("layers.npy", "--layers", "fc1,fc2");
  const [all, weights, layers] = await Promise.all(
    ["all", "weights", "layers"].map((name) =>
      readArray(`${path}/${name}.npy`, Float32Array, [20, 20])
    ),
  );
  assert.deepEqual(weights, layers);
  assert.notDeepEqual(all, weights);
  await gram("K.zarr", "--parameters", "weights");
  const store = ["gram", ...model, ...DATA, "--out", `${path}/K.zarr`];
  await fail(store, 1, /parameters "weights", now "all"/);
  const results = [...model, ...DATA, "--parameters", "weights", "--out", `${path}/redundant`];
  await succeed(["redundant", ...results]);
  const { options } = await readJson(`${path}/redundant/run.json`);
  const { parameters } = await readJson(`${path}/redundant/summary.json`);
  assert.deepEqual([options.parameters, parameters], ["weights", "weights"]);
  const described = ["model", file, "--data", "digits", "--parameters", "weights"];
  const { layers: listed, ...sizes } = JSON.parse(await succeed([...described, "--json"]));
  const [first, scale, shift, last] = listed;
  assert.deepEqual(first.tensors, { "fc1.weight": [3, 784], "fc1.bias": [3] });
  assert.deepEqual([first.parameters, first.segment.inputs], [3 * 785, 785]);
  const { name, kind, tensors, segment } = scale;
  const expected = ["norm.weight", "parameter", { "norm.weight": [3] }, undefined];
  assert.deepEqual([name, kind, tensors, segment], expected);
  assert.deepEqual([shift.parameters, last.outputShape], [3, [10]]);
  assert.deepEqual([sizes.all, sizes.counted], [3 * 785 + 6 + 40, 3 * 785 + 40]);
  assert.equal(sizes.rowLength, 785 + 3 + 4 + 10);
  const [few, many] = sizes.costs;
  assert.deepEqual([few.count, many.count], [1_000, 60_000]);
  assert.ok(many.gram.flops > 3000 * few.gram.flops && many.gram.seconds > few.gram.seconds);
  const said = await succeed(described);
  assert.match(said, /\nnorm.weight +parameter +\[3\] +\[3\] +3 +does not count\n/);
  assert.match(said, /\nparameters +2,401, 2,395 of which count\n.* 802 floats a sample\n/);
  assert.match(said, /\n60,000 samples +[\d,]+ GFLOP, \S+ \w+; rows of 18[0-9] MiB$/);
  await fail(["model", file, "--data", "digits", "--classes", "3"], 2, /--classes/);
  const nothing = [
    "plan",
    "--model",
    file,
    "--samples",
    "9",
    "--layers",
    "norm",
    "--parameters",
    "weights",
  ];
  await fail(nothing, 2, /got norm, which has none, need a convolution or dense layer among them/);
});

Deno.test("a failure that a file leaves behind, and nothing waits for, is one line", async () => {
  await using temp = await openTempFolder();
  const left: [name: string, code: string, says: string][] = [
    ["rejection", 'Promise.reject(new Error("floating"));', "Error: floating"],
    [
      "timer",
      'setTimeout(() => { throw new Error("later\\non two lines"); }, 1);\n' +
      "await new Promise((resolve) => setTimeout(resolve, 1000));",
      "Error: later on two lines",
    ],
  ];
  for (const [name, code, says] of left) {
    const file = `${temp.path}/${name}.js`;
    await Deno.writeTextFile(file, `${code}\nexport default { name: "left", forward() {} };\n`);
    const train = ["train", "--model", file, ...DATA, "--out", `${temp.path}/out`];
    assertRefused(
      await finish(prepareLpntk(train)),
      `Cannot go on: got a failure that nothing waits for, ${says}, need `,
    );
  }
});

/** Adds two flags beside the weights of a file. */
function addFlags(bytes: Uint8Array): Uint8Array {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const data = bytes.subarray(8 + length);
  header["module._orig_mod.mask"] = {
    dtype: "BOOL",
    shape: [2],
    data_offsets: [data.length, data.length + 2],
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const changed = new Uint8Array(8 + text.length + data.length + 2);
  new DataView(changed.buffer).setBigUint64(0, BigInt(text.length), true);
  changed.set(text, 8);
  changed.set(data, 8 + text.length);
  changed.set([1, 0], 8 + text.length + data.length);
  return changed;
}
