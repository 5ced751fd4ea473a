/** The public names: a change here is a change for everybody who imports the package. @module */
import assert from "node:assert/strict";
import * as gpuFace from "../../engine/gpu/mod.ts";
import * as face from "../../mod.ts";

Deno.test("engine/gpu/mod.ts exports these values", () => {
  assert.deepEqual(Object.keys(gpuFace).sort(), [
    "ComputeDevice",
    "ComputeKernel",
    "DeviceBuffer",
    "DeviceError",
    "DisposedError",
    "KernelError",
    "NoAdapterError",
    "Recording",
    "openGpu",
  ]);
});

/** What `deno doc` says of `mod.ts`. */
async function runDoc(...args: readonly string[]): Promise<Deno.CommandOutput> {
  return await new Deno.Command(Deno.execPath(), {
    args: ["doc", ...args, "mod.ts"],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
}

/** An exported name, as far as it is asked about. */
interface Declared {
  readonly name: string;
  readonly declarations: readonly {
    readonly kind: string;
    readonly def: {
      readonly properties?: readonly { readonly name: string }[];
      readonly methods?: readonly { readonly name: string }[];
    };
  }[];
}

async function readDeclared(): Promise<Declared[]> {
  const { stdout } = await runDoc("--json");
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout));
  return Object.values(nodes as Record<string, { symbols: Declared[] }>)[0].symbols;
}

const declared = await readDeclared();

Deno.test("every public name is documented, and made of public types alone", async () => {
  const { success, stderr } = await runDoc("--lint", "engine/gpu/mod.ts");
  assert.ok(success, new TextDecoder().decode(stderr));
});

Deno.test("no public name is made of another package's types", () => {
  assert.deepEqual(JSON.stringify(declared).match(/"specifier":"npm:[^"]*"/g), null);
  assert.ok(JSON.stringify(declared).includes('"specifier":"./network/network.ts"'));
});

Deno.test("rows, networks and activations show nothing of the device", () => {
  const list = (wanted: string) => {
    const { declarations } = declared.find(({ name }) => name === wanted)!;
    return declarations.flatMap(({ kind, def: { properties = [], methods = [] } }) => {
      assert.equal(kind, "interface", wanted);
      return [...properties, ...methods].map(({ name }) => name);
    }).sort();
  };
  assert.deepEqual(list("Rows"), [
    "count",
    "dispose",
    "gramShader",
    "gramVariant",
    "length",
    "projection",
    "residence",
  ]);
  assert.deepEqual(list("Network"), [
    "classes",
    "definition",
    "dispose",
    "inputShape",
    "layers",
    "loading",
    "select",
    "weights",
  ]);
  assert.deepEqual(list("Activations"), ["shape"]);
  const engine = JSON.stringify(declared.find(({ name }) => name === "Engine"));
  assert.doesNotMatch(engine, /"(gpu|tensorflow|Gpu|Tensorflow)"/);
});

Deno.test("mod.ts exports these types", () => {
  const isType = ({ declarations: [{ kind }] }: Declared) =>
    kind === "interface" || kind === "typeAlias";
  assert.deepEqual(declared.filter(isType).map(({ name }) => name).sort(), [
    "Activations",
    "AdapterDescription",
    "AdapterRequest",
    "AveragePoolOptions",
    "BatchNormOptions",
    "BatchStep",
    "CallOptions",
    "CifarForm",
    "ClassMap",
    "ClassSimilarityOptions",
    "ClusterOptions",
    "Clusters",
    "ConvolutionForm",
    "ConvolutionOptions",
    "Copy",
    "CopyGroup",
    "Dataset",
    "DatasetParts",
    "DenseOptions",
    "DuplicateOptions",
    "EngineOptions",
    "EnsembleOptions",
    "EnsembleResult",
    "EpochMetrics",
    "Estimate",
    "EstimateRequest",
    "Extent",
    "FactoredSegment",
    "FeatureMaps",
    "Features",
    "FetchOptions",
    "FoldTraining",
    "FolderSplits",
    "HeldStore",
    "Initialisation",
    "KernelIndices",
    "KernelKind",
    "KernelSource",
    "KernelTimes",
    "LabelIssueOptions",
    "LabelIssues",
    "LayerDescription",
    "Layers",
    "LoadOptions",
    "LoadingNotes",
    "Nearest",
    "Network",
    "NetworkChoice",
    "NetworkDefinition",
    "NewParameters",
    "NoisyDataset",
    "NormaliseOptions",
    "NpyArray",
    "NpyData",
    "NpyDtype",
    "OnProgress",
    "OnnxNetwork",
    "OnnxOptions",
    "OpenOptions",
    "OperandTimes",
    "Operations",
    "Outliers",
    "Padding",
    "ParameterChoice",
    "ParameterOptions",
    "ParameterSource",
    "Partner",
    "PerAxis",
    "PictureOptions",
    "PlainSegment",
    "PoolOptions",
    "ProjectOptions",
    "Projection",
    "ReductionOptions",
    "Redundancy",
    "RedundancyOptions",
    "RedundancyRule",
    "Relation",
    "RelationCounts",
    "RelationOptions",
    "Relations",
    "RemoteName",
    "Residence",
    "ResnetOptions",
    "RowLayout",
    "RowPlan",
    "Rows",
    "SaveOptions",
    "Schedule",
    "Scores",
    "Segment",
    "SegmentOwner",
    "Sketch",
    "SketchError",
    "SketchRequest",
    "Split",
    "StateSettings",
    "StoreSettings",
    "StoredKernel",
    "Symmetry",
    "Tile",
    "TrainingOptions",
    "TrainingResult",
    "TrainingState",
    "Tuning",
    "VectorTimes",
    "VectorWidth",
    "WeightTensor",
    "Weights",
    "Witness",
    "WitnessRequest",
    "Witnesses",
    "WriteFile",
  ]);
});

Deno.test("mod.ts exports these values", () => {
  assert.deepEqual(Object.keys(face).sort(), [
    "BudgetError",
    "CIFAR10",
    "CIFAR100",
    "DataError",
    "DeviceError",
    "DisposedError",
    "Engine",
    "FileError",
    "KernelMatrix",
    "KernelStore",
    "KernelWriter",
    "LayerError",
    "MOST_REGRESSED",
    "MissingDatasetError",
    "NoAdapterError",
    "NonFiniteError",
    "PictureSizesError",
    "STRONG_ODDS",
    "SUBSTANTIAL_ODDS",
    "StoredKernelError",
    "UnknownDatasetError",
    "WeightsError",
    "absolute",
    "adaptiveAveragePool",
    "add",
    "averagePool",
    "chooseFolds",
    "chooseNetwork",
    "clip",
    "clusterSamples",
    "computeClassSimilarity",
    "computeEntk",
    "computeGram",
    "computeSelfSimilarity",
    "concat",
    "countMembers",
    "createDataset",
    "createResnet",
    "decodeNpy",
    "decodeSafetensors",
    "decodeTrainingState",
    "divide",
    "drawDigits",
    "drawStratified",
    "dropFlagged",
    "elu",
    "encodeNpy",
    "encodeSafetensors",
    "encodeTrainingState",
    "erf",
    "exp",
    "fetchDataset",
    "findDuplicates",
    "findEmptyClasses",
    "findForgotten",
    "findLabelIssues",
    "findNearest",
    "findOutliers",
    "findRedundant",
    "findWitnesses",
    "flatten",
    "flipLabels",
    "gelu",
    "globalAverage",
    "hardSigmoid",
    "hardSwish",
    "hasSplit",
    "hashArray",
    "hashDataset",
    "hashIntegers",
    "hashWeights",
    "indexSample",
    "judgeLabels",
    "kCenterGreedy",
    "keepHighest",
    "keepRandom",
    "leakyRelu",
    "lenet5",
    "lenetLarge",
    "listFolderFiles",
    "listIssues",
    "loadDataset",
    "loadMetadata",
    "loadOnnx",
    "loadWeights",
    "log",
    "mapClasses",
    "matmul",
    "maxPool",
    "mean",
    "measureRedundancy",
    "mlp",
    "multiply",
    "nameClass",
    "negate",
    "normalise",
    "openEngine",
    "pad",
    "power",
    "predictLogitsAfterStep",
    "predictProbabilitiesAfterStep",
    "pruneHeads",
    "readCifar",
    "readFashionMnist",
    "readFolder",
    "readLabels",
    "readMnist",
    "readNpy",
    "reciprocal",
    "relateSamples",
    "relu",
    "relu6",
    "reshape",
    "resnet18",
    "resnet18Bn",
    "resnet18Narrow",
    "resnet8",
    "resnet8Narrow",
    "saveWeights",
    "scoreLogits",
    "sigmoid",
    "silu",
    "slice",
    "softmax",
    "softplus",
    "splitRandom",
    "sqrt",
    "square",
    "storeGram",
    "subtract",
    "sum",
    "takeFirst",
    "takeSamples",
    "tanh",
    "transpose",
    "writeFolder",
    "writeNpy",
  ]);
});
