/**
 * Tensors of a graph as they stand on the device: samples first, whatever order of axes the graph gives them.
 *
 * A tensor of the graph is a view of a physical tensor, `[N, ...]`: each of its axes is a list of physical axes, row-major. Transposing and
 * merging axes changes the lists alone, so that a graph over `[N, C, H, W]` runs on tensors `[N, H, W, C]` without a copy, and the samples may
 * stand at any axis, or be one factor of it.
 *
 * @module
 */
import type { Activations, Layers } from "../network/definition.ts";
import { countElements } from "../formats/shape.ts";
import type { WeightTensor } from "../formats/safetensors.ts";

/**
 * Number of samples while a graph is planned: a prime that no size is a multiple of, so that samples can be told from every other factor of a
 * size, also after arithmetic on shapes.
 */
export const SAMPLES = 1_000_003;

/** One call of a function of `Layers`, which a pass makes with the results of earlier ones. */
export class Step {
  static #count = 0;
  /** Position among all steps, so that they run in the order of the graph. */
  readonly order = Step.#count++;

  constructor(
    readonly inputs: readonly Step[],
    readonly run: (layers: Layers, inputs: readonly Activations[]) => Activations,
    /** Reads the parameters and frozen tensors that the call takes from the weights, by name. */
    readonly tensors: () => (readonly [name: string, tensor: WeightTensor])[] = () => [],
    /** Name of the tensor in the file that the result is, where it is one. */
    readonly source?: string,
  ) {}
}

/** A tensor of the graph. */
export interface View {
  readonly step: Step;
  /** Sizes of the physical tensor; the first is {@linkcode SAMPLES}. */
  readonly sizes: readonly number[];
  /** Physical axes of each axis, row-major; 0 are the samples. An axis of size 1 has none. */
  readonly axes: readonly (readonly number[])[];
}

/** A graph's state that cannot be computed sample by sample, or not at all; whoever runs the node adds its name. */
export class ViewError extends Error {}

/** Shape of the graph's tensor. */
export function shapeOf({ sizes, axes }: View): number[] {
  return axes.map((list) => countElements(list.map((axis) => sizes[axis])));
}

/** Axis at which the samples stand; -1 where a tensor is the same for all. */
export function findSamples({ axes }: View): number {
  return axes.findIndex((list) => list.includes(0));
}

/** Makes the view of a physical tensor `[N, ...sizes]` whose axes are the physical ones, one each. */
export function viewPlain(step: Step, sizes: readonly number[]): View {
  return { step, sizes: [SAMPLES, ...sizes], axes: [SAMPLES, ...sizes].map((_, axis) => [axis]) };
}

/** Physical axes that have more than one element, without the samples. */
function listWide({ sizes }: View): number[] {
  return sizes.flatMap((size, axis) => axis > 0 && size > 1 ? [axis] : []);
}

/**
 * Returns the physical tensor `[N, ...]` with one axis for each group of physical axes, in their order; an empty group is an axis of size 1.
 * Every axis of more than one element must be in a group.
 */
export function arrange(view: View, groups: readonly (readonly number[])[]): Step {
  const { sizes } = view;
  const wide = groups.flat().filter((axis) => sizes[axis] > 1);
  const shape = groups.map((group) => countElements(group.map((axis) => sizes[axis])));
  let { step } = view;
  let now = sizes.slice(1);
  if (wide.join() !== listWide(view).join()) {
    const order = [...wide, ...now.flatMap((size, i) => size === 1 ? [i + 1] : [])];
    now = order.map((axis) => sizes[axis]);
    step = new Step([step], (layers, [x]) => layers.transpose(x, order));
  }
  if (now.join() === shape.join()) return step;
  return new Step([step], (layers, [x]) => layers.reshape(x, shape));
}

/** Regroups the physical tensor and renumbers a view's axes: each list of physical axes must be a row of whole groups. */
function regroup(view: View, groups: readonly (readonly number[])[]): View {
  const sizes = groups.map((group) => countElements(group.map((axis) => view.sizes[axis])));
  const heads = new Map(groups.map((group, i) => [group[0], i + 1]));
  return {
    step: arrange(view, groups),
    sizes: [SAMPLES, ...sizes],
    axes: view.axes.map((list) =>
      list.flatMap((axis) => axis === 0 ? [0] : heads.has(axis) ? [heads.get(axis)!] : [])
    ),
  };
}

/**
 * Makes each of some axes one physical axis, and returns these. An axis with the samples is refused.
 *
 * @throws {ViewError} if the samples stand at one of the axes.
 */
export function settle(
  view: View,
  axes: readonly number[],
): { readonly view: View; readonly physical: number[] } {
  for (const axis of axes) {
    if (view.axes[axis].includes(0)) {
      throw new ViewError(`samples that act on one another, at axis ${axis}`);
    }
  }
  const isWide = (axis: number) => view.sizes[axis] > 1;
  const lists = axes.map((axis) => view.axes[axis].filter(isWide));
  if (lists.every(({ length }) => length === 1)) {
    return { view, physical: lists.map(([axis]) => axis) };
  }
  const groups: (readonly number[])[] = [];
  for (const axis of listWide(view)) {
    const list = lists.find((list) => list.includes(axis));
    if (!list) groups.push([axis]);
    else if (list.every((other) => other <= axis)) groups.push(list);
  }
  const narrow = lists.filter(({ length }) => length === 0).length;
  const regrouped = regroup(view, [...Array(narrow).fill([]), ...groups]);
  let next = 1;
  const settled = regrouped.axes.map((list, axis) => {
    const at = axes.indexOf(axis);
    if (at >= 0 && lists[at].length === 0) return [next++];
    return list.filter((axis) => axis === 0 || regrouped.sizes[axis] > 1);
  });
  return { view: { ...regrouped, axes: settled }, physical: axes.map((axis) => settled[axis][0]) };
}

/** A part of a physical axis. */
interface Factor {
  readonly axis: number;
  size: number;
}

function listFactors({ sizes }: View, list: readonly number[]): Factor[] {
  return list.filter((axis) => sizes[axis] > 1).map((axis) => ({ axis, size: sizes[axis] }));
}

/** Splits physical axes into the factors that `lists` has of them, in their order, and makes the lists the view's axes. */
function split(view: View, lists: readonly (readonly Factor[])[]): View {
  const factors = lists.flat();
  const parts = view.sizes.slice(1).flatMap((size, i) => {
    const own = factors.filter(({ axis }) => axis === i + 1);
    return own.length > 0 ? own : [{ axis: i + 1, size }];
  });
  const sizes = parts.map(({ size }) => size);
  const axes = lists.map((list) =>
    list.map((part) => part.axis === 0 ? 0 : 1 + parts.indexOf(part))
  );
  const isSame = sizes.join() === view.sizes.slice(1).join();
  const step = isSame
    ? view.step
    : new Step([view.step], (layers, [x]) => layers.reshape(x, sizes));
  return { step, sizes: [SAMPLES, ...sizes], axes };
}

/**
 * Gives a tensor another shape of as many elements, without a copy unless axes that stand apart have to be cut together.
 *
 * @param shape sizes, with {@linkcode SAMPLES} as a factor of one of them if the tensor has samples
 * @throws {ViewError} if the samples would be cut, or the numbers of elements differ.
 */
export function reshape(view: View, shape: readonly number[]): View {
  const regrouped = cut(view, shape);
  if (regrouped) return split(view, regrouped);
  // runs of axes between which the samples stand become one each
  const flat = view.axes.flat();
  const at = flat.indexOf(0);
  const runs = at < 0 ? [flat] : [flat.slice(0, at), [0], flat.slice(at + 1)];
  const merged = settle(
    { ...view, axes: runs },
    runs.flatMap((run, i) => run.includes(0) ? [] : [i]),
  ).view;
  const lists = cut(merged, shape);
  if (lists) return split(merged, lists);
  throw new ViewError(`shape [${describeSizes(shapeOf(view))}] for [${describeSizes(shape)}]`);
}

function cut(view: View, shape: readonly number[]): Factor[][] | undefined {
  const rest = listFactors(view, view.axes.flat());
  const lists = shape.map((size) => {
    const list: Factor[] = [];
    let left = size;
    while (left > 1) {
      const [factor] = rest;
      if (!factor) return undefined;
      if (left % factor.size === 0) {
        list.push(rest.shift()!);
        left /= factor.size;
      } else if (factor.axis !== 0 && factor.size % left === 0) {
        list.push({ axis: factor.axis, size: left });
        // the rest of the axis, of which the next size takes its part
        rest[0] = { axis: factor.axis, size: factor.size / left };
        left = 1;
      } else return undefined;
    }
    return list;
  });
  const isWhole = rest.length === 0 && lists.every((list) => list !== undefined);
  return isWhole ? lists : undefined;
}

/** Tensors whose axes are cut alike, and laid out alike where they have them. */
export interface Aligned {
  /** Physical tensors, `[N, ...]` each of the same rank; an axis that a tensor does not have is of size 1. */
  readonly steps: readonly Step[];
  /** Sizes and axes of the tensor that they are broadcast to. */
  readonly sizes: readonly number[];
  readonly axes: readonly (readonly number[])[];
}

/**
 * Aligns tensors for broadcasting, as NumPy does: to one rank from the right, then cuts axes alike and lays all tensors out as the largest is.
 *
 * @param free an axis at which sizes may differ, which is one physical axis of each tensor already
 * @throws {ViewError} if sizes differ and are not 1, or samples stand at different axes.
 */
export function align(views: readonly View[], free?: number): Aligned {
  const rank = Math.max(...views.map(({ axes }) => axes.length));
  let padded: View[] = views.map((view) => ({
    ...view,
    axes: [...Array(rank - view.axes.length).fill([]), ...view.axes],
  }));
  for (let axis = 0; axis < rank; axis++) {
    if (axis !== free) padded = refine(padded, axis);
  }
  const places = padded.map(findSamples).filter((axis) => axis >= 0);
  if (new Set(places).size > 1) {
    throw new ViewError(
      `samples that act on one another, at axes ${[...new Set(places)].join(" and ")}`,
    );
  }
  // every factor of an axis, by the axis and its place in it
  const factors = Array.from({ length: rank }, (_, axis) => {
    const owner = padded.find((view) => view.axes[axis].length > 0);
    return (owner?.axes[axis] ?? []).map((physical, place) => ({
      axis,
      place,
      size: owner!.sizes[physical],
      isSamples: physical === 0,
    }));
  });
  const all = factors.flat().filter(({ isSamples }) => !isSamples);
  const largest = padded.reduce((best, view) =>
    countElements(view.sizes) > countElements(best.sizes) ? view : best
  );
  const rankOf = ({ axis, place }: (typeof all)[number]) => largest.axes[axis][place] ?? Infinity;
  // stable, so that axes which the largest does not have keep their order, at the end
  const order = all.toSorted((a, b) => {
    const [x, y] = [rankOf(a), rankOf(b)];
    return x === y ? 0 : x - y;
  });
  return {
    steps: padded.map((view) =>
      arrange(
        view,
        order.map(({ axis, place }) => view.axes[axis].length > 0 ? [view.axes[axis][place]] : []),
      )
    ),
    sizes: [SAMPLES, ...order.map(({ size }) => size)],
    axes: factors.map((list) =>
      list.map((factor) => factor.isSamples ? 0 : 1 + order.indexOf(factor))
    ),
  };
}

/** Cuts one axis of all tensors that have it into the same factors. */
function refine(views: readonly View[], axis: number): View[] {
  const lists = views.map((view) => listFactors(view, view.axes[axis]));
  const owners = lists.filter((list) => list.length > 0);
  const totals = new Set(owners.map((list) => countElements(list.map(({ size }) => size))));
  if (totals.size > 1) {
    throw new ViewError(`sizes ${describeSizes([...totals])} at one axis`);
  }
  const describe = (list: readonly Factor[]) => list.map(({ size }) => size).join();
  if (new Set(owners.map(describe)).size <= 1) return views.map((view) => trim(view, axis));
  // cuts of all, each as the number of elements before it
  const cuts = new Set(owners.flatMap((list) => {
    let before = 1;
    return list.map(({ size }) => before *= size);
  }));
  const ends = [...cuts].sort((a, b) => a - b);
  const parts = ends.map((end, i) => end / (ends[i - 1] ?? 1));
  const isFit = parts.every(Number.isInteger);
  return views.map((view, i) => {
    if (lists[i].length === 0) return trim(view, axis);
    if (!isFit) return settle(view, [axis]).view;
    const shape = shapeOf(view);
    const cutShape = [...shape.slice(0, axis), ...parts, ...shape.slice(axis + 1)];
    const fine = reshape(view, cutShape);
    const axes = [
      ...fine.axes.slice(0, axis),
      fine.axes.slice(axis, axis + parts.length).flat(),
      ...fine.axes.slice(axis + parts.length),
    ];
    return { ...fine, axes };
  });
}

/** Takes physical axes of one element out of an axis. */
function trim(view: View, axis: number): View {
  const isWide = (physical: number) => view.sizes[physical] > 1;
  return { ...view, axes: view.axes.map((list, i) => i === axis ? list.filter(isWide) : list) };
}

/** Formats sizes with N for the number of samples. */
export function describeSizes(shape: readonly number[]): string {
  return shape.map((size) =>
    size % SAMPLES !== 0 || size === 0 ? `${size}` : size === SAMPLES ? "N" : `${size / SAMPLES} N`
  ).join(", ");
}
