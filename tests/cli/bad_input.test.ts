/** Bad input to the command line: one line on standard error, the right exit code, and nothing on disk that was not there before. @module */
import assert from "node:assert/strict";
import { encodeNpy, encodeSafetensors, type NpyArray } from "../../mod.ts";
import { openTempFolder } from "../temp_folder.ts";
import { encodeIdx } from "../engine/formats/fixtures.ts";
import {
  fingerprint,
  finish,
  prepareLpntk,
  runLpntk,
  succeed,
  type Surroundings,
} from "./process.ts";

const USAGE = 2;
const FAILURE = 1;

/** Number of samples of the good data set and of the good kernel. */
const COUNT = 6;

/** A call that must fail, in a folder where all is right except what `spoil` changes. */
interface Mistake {
  readonly name: string;
  /** Arguments, split at spaces; `@` stands for the folder. */
  readonly call: string;
  readonly code: number;
  /** Texts that the line on standard error has to contain, with `@` for the folder. */
  readonly says: readonly string[];
  readonly spoil?: (folder: string) => Promise<void>;
  /** Environment of the call, which then has a process of its own. */
  readonly env?: Surroundings["env"];
}

// Calls that work; each mistake below spoils one of them, or what it names.
const TRAIN = "train --model mlp --data @/data --epochs 1 --out @/out";
const REDUNDANT = "redundant --model mlp --weights @/mlp.safetensors --data @/data --out @/out";
const RELATE = "relate --kernel @/K.npy --out @/out";
const CLUSTER =
  "cluster --kernel @/K.npy --labels @/labels.npy --per-class --ratio 0.5 --out @/out";
const PRUNE = "prune --method random --data @/data --out @/out";
const COMPARE =
  "compare --model mlp --data @/data --arm full --arm kept=@/keep.npy --epochs 1 --seeds 1 --out @/out";
const GRAM = "gram --model mlp --weights @/mlp.safetensors --data @/data --cross --out @/G.npy";
const STORE = GRAM.replace("G.npy", "G.zarr");
const IDX = "train --model mlp --data @/idx --epochs 1 --out @/out";
const GOOD = [TRAIN, REDUNDANT, RELATE, CLUSTER, PRUNE, COMPARE, GRAM, STORE, IDX];

const RUN = "run --data @/data --out @/out";

/** Environment in which a Vulkan loader finds no driver. */
const NO_ADAPTER = {
  VK_DRIVER_FILES: "/nonexistent",
  VK_ICD_FILENAMES: "/nonexistent",
  DENO_WEBGPU_BACKEND: "vulkan",
};

const CALLS: readonly Mistake[] = [
  {
    name: "an unknown command",
    call: "trian",
    code: USAGE,
    says: ["trian", "mean train?"],
    env: {},
  },
  { name: "an unknown sub-command", call: "data fech", code: USAGE, says: ["fech", "mean fetch?"] },
  {
    name: "an unknown option",
    call: `${TRAIN} --epoch 3`,
    code: USAGE,
    says: ["--epoch'", "mean --epochs?"],
  },
  {
    name: "an argument too many",
    call: `${TRAIN} mnist`,
    code: USAGE,
    says: ["too many arguments", "mnist"],
  },
  { name: "an option without its value", call: "train --data", code: USAGE, says: ["--data"] },
  { name: "train without --data", call: "train --out @/out", code: USAGE, says: ["--data"] },
  {
    name: "train without --out",
    call: "train --data @/data --epochs 1",
    code: USAGE,
    says: ["--out"],
  },
  {
    name: "gram without --weights",
    call: "gram --model mlp --data @/data --out @/G.npy",
    code: USAGE,
    says: ["--weights"],
  },
  {
    name: "prune without --method",
    call: "prune --data @/data --out @/out",
    code: USAGE,
    says: ["got no --method, need one of redundant, head, random"],
  },
  ...[
    ["redundant --kernel @/K.npy", "--share 0.2"],
    ["redundant --kernel @/K.npy", "--ratio 0.2"],
    ["redundant --kernel @/K.npy", "--per-class"],
    ["random --kernel @/K.npy", "--ratio 0.2"],
    ["random --kernel @/K.npy", "--per-class"],
    ["random --data @/data", "--sketch 64"],
    ["random --data @/data", "--kind pntk"],
    ["random --data @/data", "--layers fc1"],
  ].map(([source, option]) => ({
    name: `prune --method ${source} with ${option}, which it has no use for`,
    call: `prune --method ${source} ${option} --out @/out`,
    code: USAGE,
    says: [`got ${option.split(" ")[0]}, need none for --method ${source.split(" ")[0]}`],
  })),
  {
    name: "plan with classes beside weights, which tell them",
    call: "plan --model mlp --weights @/mlp.safetensors --samples 5 --classes 3",
    code: USAGE,
    says: ["--classes", "--weights"],
  },
  {
    name: "compare without an arm",
    call: `compare --data @/data --out @/out`,
    code: USAGE,
    says: ["--arm"],
  },
  {
    name: "a kernel from nothing",
    call: "redundant --out @/out",
    code: USAGE,
    says: ["--kernel", "--model", "--weights", "--data"],
  },
  {
    name: "a kernel from a model without weights",
    call: "redundant --model mlp --data @/data --out @/out",
    code: USAGE,
    says: ["--weights"],
  },
  ...["model mlp", "weights @/mlp.safetensors", "data @/data", "train-size 3", "sketch 64"].map((
    other,
  ) => ({
    name: `--kernel together with --${other.split(" ")[0]}`,
    call: `${RELATE} --${other}`,
    code: USAGE,
    says: ["--kernel", `--${other.split(" ")[0]}`],
  })),
  {
    name: "--labels for a network's samples, which have theirs",
    call:
      "cluster --model mlp --weights @/mlp.safetensors --data @/data --labels @/labels.npy --out @/out",
    code: USAGE,
    says: ["--labels"],
  },
  {
    name: "--per-class without labels",
    call: "cluster --kernel @/K.npy --per-class --out @/out",
    code: USAGE,
    says: ["got --per-class with a kernel that has no labels", "add --labels labels.npy"],
  },
  {
    name: "--cross together with --split test",
    call: `${GRAM} --split test`,
    code: USAGE,
    says: ["--cross", "--split test"],
  },
  {
    name: "a kernel to be written as text",
    call: GRAM.replace("@/G.npy", "@/G.txt"),
    code: USAGE,
    says: ["G.txt", ".npy", ".zarr"],
  },
  ...["full", "repair"].map((flag) => ({
    name: `--${flag} for a kernel in one file`,
    call: `${GRAM} --${flag}`,
    code: USAGE,
    says: [`--${flag}`, "G.npy", ".zarr"],
  })),
  {
    name: "both sides of the diagonal of a kernel that has none",
    call: `${STORE} --full`,
    code: USAGE,
    says: ["--cross", "--full"],
  },
  {
    name: "two arms of one name",
    call: `${COMPARE} --arm kept=@/keep.npy`,
    code: USAGE,
    says: ["two arms", "kept"],
  },
  {
    name: "an arm without a file",
    call: `${COMPARE} --arm pruned`,
    code: USAGE,
    says: ["--arm pruned", "NAME=keep.npy"],
  },
  ...[
    [CLUSTER, "--ratio", "0", "above 0"],
    [CLUSTER, "--ratio", "1.5", "at most 1"],
    [CLUSTER, "--ratio", "abc", "a number"],
    [RELATE, "--threshold", "2", "to 1"],
    [RELATE, "--threshold", "0.4", "from 0.5"],
    [RELATE, "--epsilon", "-1", "at least 0"],
    [RELATE, "--epsilon", "0.7", "0.5"],
    [RELATE, "--sample", "6", "5"],
    [PRUNE, "--share", "1", "below 1"],
    [PRUNE, "--method", "best", "redundant"],
    [TRAIN, "--epochs", "0", "a positive integer"],
    [TRAIN, "--epochs", "1.5", "a positive integer"],
    [TRAIN, "--train-size", "0", "a positive integer"],
    [TRAIN, "--train-size", "7", "6"],
    [TRAIN, "--test-size", "7", "6"],
    [TRAIN, "--validation-size", "6", "6"],
    [TRAIN, "--lr", "0", "above 0"],
    [TRAIN, "--momentum", "1", "below 1"],
    [TRAIN, "--weight-decay", "-1", "at least 0"],
    [TRAIN, "--batch", "0", "a positive integer"],
    [TRAIN, "--schedule", "linear", "cosine"],
    [TRAIN, "--seed", "-1", "from 0"],
    [TRAIN, "--seed", "4294967296", "4294967295"], // the generator's seeds have 32 bits
    [TRAIN, "--model", "resnet", "lenet5"],
    [REDUNDANT, "--model", "resnet", ".ts file"],
    [REDUNDANT, "--kind", "entk", "lpntk"],
    [REDUNDANT, "--split", "validation", "test"],
    [REDUNDANT, "--sketch", "0", "a positive integer"],
    [REDUNDANT, "--sketch", "NaN", "a positive integer"],
    [GRAM, "--sketch", "2.5", "a positive integer"],
    [RUN, "--sketch", "-64", "a positive integer"],
    [REDUNDANT, "--sketch", "5", "at least 6"], // two numbers for each layer
    [COMPARE, "--seeds", "0", "a positive integer"],
    [RUN, "--ratio", "0", "above 0"],
  ].map(([call, option, value, need]) => ({
    name: `${call.split(" ")[0]} ${option} ${value}`,
    call: `${call} ${option} ${value}`,
    code: USAGE,
    says: [value, need],
  })),
  {
    name: "an unknown data set",
    call: "train --data digts --out @/out",
    code: USAGE,
    says: ["digts", "mean digits?"],
  },
];

const FILES: readonly Mistake[] = [
  {
    name: "a data folder that is not there",
    call: "train --data @/nowhere --out @/out",
    code: FAILURE,
    says: ["@/nowhere", "no such folder"],
  },
  {
    name: "a data folder without data",
    call: "train --data @/empty --out @/out",
    code: FAILURE,
    says: ["@/empty", "images.npy"],
    spoil: (folder) => Deno.mkdir(`${folder}/empty`),
  },
  missing("weights", REDUNDANT, "mlp.safetensors", ".safetensors"),
  missing("a kernel", RELATE, "K.npy", ".npy"),
  {
    name: "a missing store",
    call: RELATE.replace("K.npy", "K.zarr"),
    code: FAILURE,
    says: ["@/K.zarr/zarr.json", "no such file", "Zarr v3"],
  },
  {
    name: "a store that is none",
    call: RELATE.replace("K.npy", "K.zarr"),
    code: FAILURE,
    says: ["@/K.zarr/zarr.json", "JSON"],
    spoil: async (folder) => {
      await Deno.mkdir(`${folder}/K.zarr`);
      await Deno.writeTextFile(`${folder}/K.zarr/zarr.json`, "{");
    },
  },
  missing("labels", CLUSTER, "labels.npy", ".npy"),
  missing("indices", COMPARE, "keep.npy", ".npy"),
  missing("a data set's labels", TRAIN, "data/labels.npy", ".npy"),
  missing("a data set's test images", GRAM, "data/test_images.npy", ".npy"),
  missing(
    "MNIST's labels",
    IDX,
    "idx/train-labels-idx1-ubyte",
    "fetch them: lpntk data fetch mnist",
  ),
  {
    name: "a folder in place of weights",
    call: REDUNDANT.replace("@/mlp.safetensors", "@/data"),
    code: FAILURE,
    says: ["@/data", ".safetensors"],
  },
  truncated("MNIST's images", IDX, "idx/train-images-idx3-ubyte", 100, "bytes"),
  truncated("MNIST's images within their header", IDX, "idx/train-images-idx3-ubyte", 10, "header"),
  truncated("MNIST's labels", IDX, "idx/train-labels-idx1-ubyte", 9, "1 bytes"),
  truncated("images", TRAIN, "data/images.npy", 1000, "bytes"),
  truncated("a kernel", RELATE, "K.npy", 200, "bytes"),
  truncated("a kernel within its header", RELATE, "K.npy", 20, "header"),
  truncated("weights", REDUNDANT, "mlp.safetensors", 2000, "bytes"),
  truncated("weights within their header", REDUNDANT, "mlp.safetensors", 40, "header"),
  {
    name: "gzip that breaks off",
    call: IDX,
    code: FAILURE,
    says: ["train-images-idx3-ubyte", "gzip"],
    spoil: (folder) => writeBytes(folder, "idx/train-images-idx3-ubyte", [0x1f, 0x8b, 8, 0, 0]),
  },
  ...[
    module("that is not there", undefined, ["no such file"]),
    module("without a default export", "export const net = 1;", ["no default export"]),
    module("that exports something else", "export default { name: 'net' };", ["whose forward is"]),
    module("that does not parse", "export default {", ["SyntaxError"]),
    module("that throws", "throw new Error('no luck');", ["no luck"]),
    module(
      "whose forward pass throws",
      "export default { name: 'net', forward() { throw new Error('no way') } };",
      ["net: its forward pass", "no way"],
    ),
    module(
      "whose forward pass ends elsewhere",
      "export default { name: 'net', forward: (_, images) => images };",
      ["net", "need logits [N, 6]"],
    ),
  ],
  {
    name: "a PyTorch pickle",
    call: REDUNDANT.replace("mlp.safetensors", "model.pt"),
    code: FAILURE,
    says: [
      "@/model.pt",
      "pickle",
      "this converts it: python3 -c 'import ",
      "torch.load(sys.argv[1]",
      "' @/model.pt @/model.safetensors",
    ],
    spoil: (folder) => writeBytes(folder, "model.pt", new TextEncoder().encode("PK\x03\x04")),
  },
];

const CONTENTS: readonly Mistake[] = [
  {
    name: "a label beyond the classes of dataset.json",
    call: TRAIN,
    code: FAILURE,
    says: ["label 5 at index 5", "0..4"],
    spoil: (folder) => Deno.writeTextFile(`${folder}/data/dataset.json`, `{ "classes": 5 }`),
  },
  {
    name: "a negative label",
    call: TRAIN,
    code: FAILURE,
    says: ["label -1 at index 2"],
    spoil: (folder) => writeArray(folder, "data/labels.npy", Int8Array.of(0, 1, -1, 3, 4, 5)),
  },
  {
    name: "a label beyond the network's classes",
    call: REDUNDANT,
    code: FAILURE,
    says: ["label 10", "10 classes"],
    spoil: (folder) => writeArray(folder, "data/labels.npy", Int32Array.of(0, 1, 2, 3, 4, 10)),
  },
  {
    name: "labels that are no integers",
    call: TRAIN,
    code: FAILURE,
    says: ["<f4", "integers"],
    spoil: (folder) => writeArray(folder, "data/labels.npy", new Float32Array(COUNT)),
  },
  {
    name: "fewer labels than images",
    call: TRAIN,
    code: FAILURE,
    says: ["6 images", "5 labels"],
    spoil: (folder) => writeArray(folder, "data/labels.npy", new Int32Array(COUNT - 1)),
  },
  {
    name: "fewer labels than images of MNIST",
    call: IDX,
    code: FAILURE,
    says: ["6 images", "5 labels"],
    spoil: (folder) =>
      writeBytes(folder, "idx/train-labels-idx1-ubyte", encodeIdx([5], [0, 1, 2, 3, 4])),
  },
  {
    name: "no samples",
    call: TRAIN,
    code: FAILURE,
    says: ["no samples", "at least 1"],
    spoil: async (folder) => {
      await writeArray(folder, "data/images.npy", new Uint8Array(0), [0, 28, 28]);
      await writeArray(folder, "data/labels.npy", new Int32Array(0));
    },
  },
  {
    name: "an unknown key in dataset.json",
    call: TRAIN,
    code: FAILURE,
    says: ["dataset.json", `"clases"`, "classes"],
    spoil: (folder) => Deno.writeTextFile(`${folder}/data/dataset.json`, `{ "clases": 10 }`),
  },
  {
    name: "a label beyond the network's classes, before anything of a store is kept",
    call: STORE,
    code: FAILURE,
    says: ["label 10", "10 classes"],
    spoil: (folder) => writeArray(folder, "data/labels.npy", Int32Array.of(0, 1, 2, 3, 4, 10)),
  },
  {
    name: "images of another size than the weights are for",
    call: REDUNDANT,
    code: FAILURE,
    says: ["fc1.weight", "784", "100"],
    spoil: (folder) =>
      writeArray(folder, "data/images.npy", new Uint8Array(COUNT * 100), [COUNT, 10, 10]),
  },
  {
    name: "images too small for a convolution",
    call: TRAIN.replace("mlp", "lenet5"),
    code: FAILURE,
    says: ["conv2", "size 5 on 2 x 2 pixels"],
    spoil: (folder) => shrinkImages(folder, 4),
  },
  {
    name: "images too small for a pooling",
    call: TRAIN.replace("mlp", "lenet5"),
    code: FAILURE,
    says: ["maxPool", "size 2 on 1 x 1 pixels"],
    spoil: (folder) => shrinkImages(folder, 10),
  },
  {
    name: "weights of another model",
    call: REDUNDANT.replace("mlp.s", "lenet5.s"),
    code: FAILURE,
    says: ["mlp", "misshapen 'fc1.weight' [120, 400] for [outputs, 784]", "extra 'conv1.weight'"],
  },
  {
    name: "weights of a model with fewer layers",
    call: REDUNDANT.replace("--model mlp", "--model lenet5"),
    code: FAILURE,
    says: ["lenet5", "missing 'conv1.weight'", "misshapen 'fc1.weight'"],
  },
  {
    name: "weights with a tensor too many",
    call: REDUNDANT,
    code: FAILURE,
    says: ["extra 'fc4.bias'"],
    spoil: (folder) => writeWeights(folder, "mlp", { ...MLP, "fc4.bias": [10] }),
  },
  ...[NaN, Infinity].map((value) => ({
    name: `a ${value} among the weights`,
    call: REDUNDANT,
    code: FAILURE,
    says: [`unusable 'fc2.weight' with ${value} at index 3`],
    spoil: (folder: string) =>
      writeWeights(folder, "mlp", MLP, (name, i) => name === "fc2.weight" && i === 3 ? value : 0.1),
  })),
  {
    name: "training that diverges in its last step",
    call: `${TRAIN} --lr 1e38`,
    code: FAILURE,
    says: ["mlp", "learning rate"],
  },
  kernel("that is not square", new Float64Array(6), [2, 3], ["[2, 3]", "[N, N]"]),
  kernel("of one dimension", new Float64Array(4), [4], ["[4]", "[N, N]"]),
  kernel("of integers", new Int32Array(4), [2, 2], ["int32", "float32 or float64"]),
  kernel("of no samples", new Float64Array(0), [0, 0], ["0", "at least one"]),
  kernel("with a NaN", Float64Array.of(1, NaN, NaN, 1), [2, 2], ["NaN at [0, 1]", "finite"]),
  kernel("with an infinity", Float32Array.of(1, 0, 0, Infinity), [2, 2], ["Infinity at [1, 1]"]),
  kernel("that is not symmetric", Float64Array.of(1, 0.5, 0.4, 1), [2, 2], ["[1, 0]", "symmetric"]),
  {
    name: "fewer labels than the kernel has samples",
    call: CLUSTER,
    code: FAILURE,
    says: ["5 labels", "6"],
    spoil: (folder) => writeArray(folder, "labels.npy", new Int32Array(COUNT - 1)),
  },
  {
    name: "labels of a kernel that are no integers",
    call: CLUSTER,
    code: FAILURE,
    says: ["@/labels.npy", "integers"],
    spoil: (folder) => writeArray(folder, "labels.npy", new Float64Array(COUNT)),
  },
  keep("beyond the samples", Int32Array.of(0, 6), ["index 6", "0 to 5"]),
  keep("below 0", Int32Array.of(0, -1), ["index -1", "0 to 5"]),
  keep("that comes twice", Int32Array.of(0, 1, 0), ["index 0 twice"]),
  keep("that is no integer", Float32Array.of(0.5), ["float32", "integers"]),
  keep("that is not there", new Int32Array(0), ["no index", "at least one"]),
];

const OUTPUTS: readonly Mistake[] = [
  {
    name: "an output folder of another command",
    call: RELATE,
    code: FAILURE,
    says: ["@/out", "other settings", 'command "cluster"'],
    spoil: (folder) => succeedIn(folder, CLUSTER),
  },
  {
    name: "an output folder of other settings",
    call: RELATE,
    code: FAILURE,
    says: ["@/out", "other settings", "threshold 0.75", "now 0.5"],
    spoil: (folder) => succeedIn(folder, `${RELATE} --threshold 0.75`),
  },
  {
    name: "an output folder with a stranger's files",
    call: RELATE.replace("@/out", "@/data"),
    code: FAILURE,
    says: ["@/data", "other files", "need an empty or a new one"],
  },
  {
    name: "an output folder that is a file",
    call: RELATE.replace("@/out", "@/keep.npy"),
    code: FAILURE,
    says: ["@/keep.npy", "file"],
  },
  {
    name: "an output folder below a file",
    call: RELATE.replace("@/out", "@/keep.npy/out"),
    code: FAILURE,
    says: ["Cannot write", "@/keep.npy/out"],
  },
  {
    name: "a kernel to be written below a file",
    call: GRAM.replace("@/G.npy", "@/keep.npy/G.npy"),
    code: FAILURE,
    says: ["Cannot write", "@/keep.npy/G.npy"],
  },
  {
    name: "a kernel to be written in place of a folder",
    call: GRAM,
    code: FAILURE,
    says: ["Cannot write", "@/G.npy"],
    spoil: (folder) => Deno.mkdir(`${folder}/G.npy`),
  },
  {
    name: "a store to be written below a file",
    call: STORE.replace("@/G.zarr", "@/keep.npy/G.zarr"),
    code: FAILURE,
    says: ["Cannot write", "@/keep.npy/G.zarr"],
  },
  {
    name: "a store to be written in place of a file",
    call: STORE,
    code: FAILURE,
    says: ["Cannot write", "@/G.zarr", "a file"],
    spoil: (folder) => writeBytes(folder, "G.zarr", [0]),
  },
  {
    name: "a store to be written into a folder of something else",
    call: STORE.replace("@/G.zarr", "@/data.zarr"),
    code: FAILURE,
    says: ["Cannot write", "@/data.zarr", "other files"],
    spoil: (folder) => Deno.rename(`${folder}/idx`, `${folder}/data.zarr`),
  },
  {
    name: "no adapter",
    call: TRAIN,
    code: FAILURE,
    says: ["no WebGPU adapter", "mesa-vulkan-drivers"],
    env: NO_ADAPTER,
  },
  {
    name: "no adapter over an earlier run of the same settings",
    call: TRAIN,
    code: FAILURE,
    says: ["no WebGPU adapter"],
    spoil: (folder) => succeedIn(folder, TRAIN),
    env: NO_ADAPTER,
  },
];

Deno.test("what the mistakes below are made in works as it stands", async () => {
  for (const call of GOOD) {
    await using folder = await openGoodFolder();
    await succeedIn(folder.path, call);
  }
});

for (const mistake of [...CALLS, ...FILES, ...CONTENTS, ...OUTPUTS]) {
  const { name, call, code, says, spoil, env } = mistake;
  Deno.test(`refused with exit code ${code}: ${name}`, async () => {
    await using folder = await openGoodFolder();
    const resolve = (text: string) => text.replaceAll("@", folder.path);
    await spoil?.(folder.path);
    const before = await fingerprint(folder.path);
    const outcome = await runLpntk(split(resolve(call)), env && { env });
    assert.match(outcome.stderr, /^lpntk: [^\n]+\n$/);
    for (const part of says) assert(outcome.stderr.includes(resolve(part)), outcome.stderr);
    assert.deepEqual(
      { ...outcome, stderr: "", left: await fingerprint(folder.path) },
      { code, stdout: "", stderr: "", left: before },
    );
  });
}

Deno.test("--debug adds where a failure comes from", async () => {
  await using folder = await openTempFolder();
  const call = `--debug relate --kernel ${folder.path}/K.npy --out ${folder.path}/out`;
  const { code, stderr } = await finish(prepareLpntk(split(call)));
  assert.equal(code, FAILURE);
  assert.match(stderr, /Cannot read .*K\.npy/);
  assert.match(stderr, /^ +at .*npy\.ts/m);
});

/** Tensors of a small `mlp` for 28 x 28 images and 10 classes. */
const MLP: Readonly<Record<string, number[]>> = {
  "fc1.weight": [4, 784],
  "fc1.bias": [4],
  "fc2.weight": [3, 4],
  "fc2.bias": [3],
  "fc3.weight": [10, 3],
  "fc3.bias": [10],
};

/** Tensors of `lenet5`. */
const LENET5: Readonly<Record<string, number[]>> = {
  "conv1.weight": [6, 1, 5, 5],
  "conv1.bias": [6],
  "conv2.weight": [16, 6, 5, 5],
  "conv2.bias": [16],
  "fc1.weight": [120, 400],
  "fc1.bias": [120],
  "fc2.weight": [84, 120],
  "fc2.bias": [84],
  "fc3.weight": [10, 84],
  "fc3.bias": [10],
};

/** Makes a folder with all that the calls name, in good order. */
async function openGoodFolder() {
  const folder = await openTempFolder();
  const { path } = folder;
  const labels = Int32Array.from({ length: COUNT }, (_, i) => i);
  const pixels = Uint8Array.from({ length: COUNT * 784 }, (_, i) => i * 37 % 256);
  const kappa = Float64Array.from(
    { length: COUNT * COUNT },
    (_, at) => at % (COUNT + 1) === 0 ? 2 : 1,
  );
  await Deno.mkdir(`${path}/data`);
  await Deno.mkdir(`${path}/idx`);
  await Promise.all([
    writeArray(path, "K.npy", kappa, [COUNT, COUNT]),
    writeArray(path, "labels.npy", labels.map((label) => label % 2)),
    writeArray(path, "keep.npy", Int32Array.of(0, 2, 4)),
    writeWeights(path, "mlp", MLP),
    writeWeights(path, "lenet5", LENET5),
    ...["", "test_"].flatMap((prefix) => [
      writeArray(path, `data/${prefix}images.npy`, pixels, [COUNT, 28, 28]),
      writeArray(path, `data/${prefix}labels.npy`, labels),
    ]),
    ...["train", "t10k"].flatMap((prefix) => [
      writeBytes(path, `idx/${prefix}-images-idx3-ubyte`, encodeIdx([COUNT, 28, 28], pixels)),
      writeBytes(path, `idx/${prefix}-labels-idx1-ubyte`, encodeIdx([COUNT], labels)),
    ]),
  ]);
  return folder;
}

function split(call: string): string[] {
  return call.split(" ");
}

async function succeedIn(folder: string, call: string): Promise<void> {
  await succeed(split(call.replaceAll("@", folder)));
}

function writeBytes(folder: string, name: string, bytes: ArrayLike<number>): Promise<void> {
  return Deno.writeFile(`${folder}/${name}`, Uint8Array.from(bytes));
}

function writeArray(
  folder: string,
  name: string,
  data: NpyArray["data"],
  shape: readonly number[] = [data.length],
): Promise<void> {
  return writeBytes(folder, name, encodeNpy(data, shape));
}

function writeWeights(
  folder: string,
  name: string,
  shapes: Readonly<Record<string, number[]>>,
  fill = (_name: string, i: number) => (i * 7 % 11 - 5) / 50,
): Promise<void> {
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return [name, { shape, data: Float32Array.from({ length }, (_, i) => fill(name, i)) }] as const;
  });
  return writeBytes(folder, `${name}.safetensors`, encodeSafetensors(new Map(tensors)));
}

async function shrinkImages(folder: string, side: number): Promise<void> {
  const pixels = new Uint8Array(COUNT * side * side);
  for (const prefix of ["", "test_"]) {
    await writeArray(folder, `data/${prefix}images.npy`, pixels, [COUNT, side, side]);
  }
}

function missing(what: string, call: string, name: string, need: string): Mistake {
  return {
    name: `a missing file: ${what}`,
    call,
    code: FAILURE,
    says: [name.split("/").at(-1)!, "got no", need],
    spoil: (folder) => Deno.remove(`${folder}/${name}`),
  };
}

function module(what: string, source: string | undefined, says: readonly string[]): Mistake {
  return {
    name: `a network of one's own ${what}`,
    call: TRAIN.replace("mlp", "@/net.ts"),
    code: FAILURE,
    says: source?.includes("forward:") || source?.includes("forward()")
      ? says
      : ["@/net.ts", ...says, "NetworkDefinition"],
    spoil: async (folder) => {
      if (source !== undefined) await Deno.writeTextFile(`${folder}/net.ts`, source);
    },
  };
}

function truncated(what: string, call: string, name: string, sizeBytes: number, says: string) {
  return {
    name: `a truncated file: ${what}`,
    call,
    code: FAILURE,
    says: [`@/${name}`, says],
    spoil: (folder: string) => Deno.truncate(`${folder}/${name}`, sizeBytes),
  } satisfies Mistake;
}

function kernel(
  what: string,
  data: NpyArray["data"],
  shape: readonly number[],
  says: readonly string[],
): Mistake {
  return {
    name: `a kernel ${what}`,
    call: RELATE,
    code: FAILURE,
    says,
    spoil: (folder) => writeArray(folder, "K.npy", data, shape),
  };
}

function keep(what: string, data: NpyArray["data"], says: readonly string[]): Mistake {
  return {
    name: `an index to keep ${what}`,
    call: COMPARE,
    code: FAILURE,
    says,
    spoil: (folder) => writeArray(folder, "keep.npy", data),
  };
}
