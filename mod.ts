/**
 * The labelled pseudo neural tangent kernel (lpNTK) of whole data sets, on any GPU that WebGPU reaches.
 *
 * ```ts
 * import { drawDigits, findRedundant, lenet5, openEngine } from "lpntk";
 *
 * using engine = await openEngine();
 * const data = drawDigits("train", { size: 200 });
 * using network = engine.network(lenet5, { seed: 0, classes: 10 });
 * await engine.train(network, data, { epochs: 2 });
 * using rows = await engine.project(network, data);
 * const redundant = await findRedundant(rows);
 * ```
 *
 * @module
 */
export { Engine, type EngineOptions, openEngine, type ProjectOptions } from "./engine/engine.ts";
export * from "./engine/errors.ts";

export {
  createDataset,
  type Dataset,
  type DatasetParts,
  findEmptyClasses,
  indexSample,
  nameClass,
  type Split,
  takeFirst,
  takeSamples,
} from "./engine/data/dataset.ts";
export { drawDigits } from "./engine/data/digits.ts";
export { fetchDataset, type FetchOptions, type RemoteName } from "./engine/data/fetch.ts";
export { readFolder } from "./engine/data/folder.ts";
export {
  type FolderSplits,
  listFolderFiles,
  type WriteFile,
  writeFolder,
} from "./engine/data/folder_writer.ts";
export { readFashionMnist, readMnist } from "./engine/data/mnist.ts";
export { CIFAR10, CIFAR100, type CifarForm, readCifar } from "./engine/data/cifar.ts";
export { flipLabels, type NoisyDataset } from "./engine/data/label_noise.ts";
export { readLabels } from "./engine/data/labels.ts";
export { hasSplit, loadDataset, type LoadOptions } from "./engine/data/named.ts";
export type { PictureOptions } from "./engine/data/pictures/decoding.ts";
export { drawStratified } from "./engine/data/stratified.ts";
export { hashArray, hashDataset, hashIntegers, hashWeights } from "./engine/data/digest.ts";
export {
  decodeNpy,
  encodeNpy,
  type NpyArray,
  type NpyData,
  type NpyDtype,
  readNpy,
  writeNpy,
} from "./engine/formats/npy.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  loadMetadata,
  loadWeights,
  type SaveOptions,
  saveWeights,
  type WeightTensor,
} from "./engine/formats/safetensors.ts";

export type { AdapterDescription, AdapterRequest } from "./engine/gpu/adapter.ts";
export { computeEntk } from "./engine/kernel/entk.ts";
export { computeGram, type Tile } from "./engine/kernel/gram.ts";
export type { CallOptions, OnProgress } from "./engine/gpu/pace.ts";
export type { VectorWidth } from "./engine/gpu/drivers.ts";
export type { KernelTimes, VectorTimes } from "./engine/tuning/vectors.ts";
export type { OperandTimes } from "./engine/tuning/operand_storage.ts";
export type {
  ConvolutionForm,
  FactoredSegment,
  PlainSegment,
  RowLayout,
  Segment,
  SegmentOwner,
  Sketch,
} from "./engine/rows/layout.ts";
export type { SketchError, SketchRequest } from "./engine/kernel/sketch_error.ts";
export type { Estimate, EstimateRequest } from "./engine/kernel/estimate.ts";
export type { Residence, RowPlan } from "./engine/rows/plan.ts";
export type { Tuning } from "./engine/tuning/gram_variants.ts";
export { computeSelfSimilarity } from "./engine/kernel/self_similarity.ts";
export type { KernelKind, Projection, Rows } from "./engine/rows/rows.ts";
export type { Extent } from "./engine/formats/zarr.ts";
export type { KernelIndices } from "./engine/store/index_files.ts";
export { KernelStore, type Symmetry } from "./engine/store/store.ts";
export {
  type HeldStore,
  KernelWriter,
  type OpenOptions,
  storeGram,
  type StoreSettings,
} from "./engine/store/store_writer.ts";

export {
  absolute,
  type Activations,
  adaptiveAveragePool,
  add,
  averagePool,
  type AveragePoolOptions,
  type BatchNormOptions,
  clip,
  concat,
  type ConvolutionOptions,
  type DenseOptions,
  divide,
  elu,
  erf,
  exp,
  type FeatureMaps,
  type Features,
  flatten,
  gelu,
  globalAverage,
  hardSigmoid,
  hardSwish,
  type Layers,
  leakyRelu,
  log,
  matmul,
  maxPool,
  mean,
  multiply,
  negate,
  type NetworkDefinition,
  normalise,
  type NormaliseOptions,
  type Operations,
  pad,
  type Padding,
  type ParameterOptions,
  type PerAxis,
  type PoolOptions,
  power,
  reciprocal,
  type ReductionOptions,
  relu,
  relu6,
  reshape,
  sigmoid,
  silu,
  slice,
  softmax,
  softplus,
  sqrt,
  square,
  subtract,
  sum,
  tanh,
  transpose,
} from "./engine/network/definition.ts";
export type { EnsembleOptions, EnsembleResult } from "./engine/training/ensemble.ts";
export {
  createResnet,
  lenet5,
  lenetLarge,
  mlp,
  resnet18,
  resnet18Bn,
  resnet18Narrow,
  resnet8,
  resnet8Narrow,
  type ResnetOptions,
} from "./engine/network/models.ts";
export type { LayerDescription, Network, ParameterChoice } from "./engine/network/network.ts";
export type {
  Initialisation,
  LoadingNotes,
  NewParameters,
  ParameterSource,
  Weights,
} from "./engine/network/parameters.ts";
export { loadOnnx, type OnnxNetwork, type OnnxOptions } from "./engine/onnx/load.ts";
export type { TrainingResult } from "./engine/training/training.ts";
export {
  decodeTrainingState,
  encodeTrainingState,
  type EpochMetrics,
  type StateSettings,
  type TrainingState,
} from "./engine/training/state.ts";
export type { Schedule, TrainingOptions } from "./engine/training/options.ts";

export {
  type ClassSimilarityOptions,
  computeClassSimilarity,
} from "./engine/samples/class_similarity.ts";
export {
  type ClusterOptions,
  type Clusters,
  clusterSamples,
  countMembers,
} from "./engine/samples/fpc.ts";
export {
  type BatchStep,
  findForgotten,
  predictLogitsAfterStep,
  predictProbabilitiesAfterStep,
} from "./engine/samples/forgetting.ts";
export { findNearest, type Nearest } from "./engine/samples/nearest.ts";
export { kCenterGreedy } from "./engine/samples/k_center.ts";
export { dropFlagged, keepHighest, keepRandom, pruneHeads } from "./engine/samples/pruning.ts";
export {
  findRedundant,
  measureRedundancy,
  type Redundancy,
  type RedundancyOptions,
  type RedundancyRule,
} from "./engine/samples/redundancy.ts";
export {
  type Partner,
  relateSamples,
  type Relation,
  type RelationCounts,
  type RelationOptions,
  type Relations,
} from "./engine/samples/relations.ts";
export { scoreLogits, type Scores } from "./engine/samples/scores.ts";
export { splitRandom } from "./engine/samples/subsets.ts";
export { KernelMatrix, type KernelSource, type StoredKernel } from "./engine/samples/source.ts";

export { type ClassMap, mapClasses } from "./engine/cleaning/class_map.ts";
export {
  type Copy,
  type CopyGroup,
  type DuplicateOptions,
  findDuplicates,
} from "./engine/cleaning/copies/duplicates.ts";
export {
  findWitnesses,
  type Witness,
  type Witnesses,
  type WitnessRequest,
} from "./engine/cleaning/labels/witnesses.ts";
export { chooseFolds } from "./engine/cleaning/labels/folds.ts";
export { chooseNetwork, type NetworkChoice } from "./engine/cleaning/labels/choose_network.ts";
export { listIssues, STRONG_ODDS, SUBSTANTIAL_ODDS } from "./engine/cleaning/labels/issue_list.ts";
export { judgeLabels } from "./engine/cleaning/labels/judge_labels.ts";
export {
  findLabelIssues,
  type FoldTraining,
  type LabelIssueOptions,
  MOST_REGRESSED,
} from "./engine/cleaning/labels/label_issues.ts";
export type { LabelIssues } from "./engine/cleaning/labels/label_ranking.ts";
export { findOutliers, type Outliers } from "./engine/cleaning/outliers.ts";
