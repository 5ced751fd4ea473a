/**
 * A network's layers and batch norms by name: the first pass makes them, and later ones find them, by the same calls at the same places.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { LayerError } from "../errors.ts";
import {
  checkOutput,
  type Layer,
  type LayerRequest,
  type LayerShape,
  makeLayer,
  type Statistics,
} from "./layer.ts";
import type { ParameterMaker, Weights } from "./parameters.ts";

/** A layer's variables, and its sizes at the place that asked for it. */
export interface PlacedLayer {
  readonly layer: Layer;
  readonly shape: LayerShape;
}

/** What a pass takes its layers from. */
export interface Modules {
  /** @param place number of times that the pass has used the name before */
  layer(request: LayerRequest, place: number): PlacedLayer;
  /**
   * @param call description of the definition's call
   * @param make makes the statistics where they are needed first
   */
  statistics(
    name: string,
    call: string,
    place: number,
    make: (maker: ParameterMaker) => Statistics,
  ): Statistics;
}

/** A layer: its variables, the first request for it, its sizes at each place, and the definition's call there. */
interface MadeLayer {
  readonly layer: Layer;
  readonly request: LayerRequest;
  readonly shapes: LayerShape[];
  readonly calls: string[];
}

/** Layers and batch norms' statistics that one network has. */
export class ModuleStore {
  readonly #layers = new Map<string, MadeLayer>();
  readonly #statistics = new Map<string, { made: Statistics; calls: string[] }>();

  /**
   * @param network the network's name, for errors
   * @param bindingBytes size of the device's largest binding
   */
  constructor(private readonly network: string, private readonly bindingBytes: number) {}

  /** Modules for the pass that makes them. */
  makeWith(maker: ParameterMaker): Modules {
    return {
      layer: (request) => this.#makeLayer(maker, request),
      statistics: (name, call, _, make) => {
        const known = this.#statistics.get(name) ?? { made: make(maker), calls: [] };
        known.calls.push(call);
        this.#statistics.set(name, known);
        return known.made;
      },
    };
  }

  /** Modules for every other pass. */
  readonly found: Modules = {
    layer: ({ name, call }, place) => {
      const known = this.#layers.get(name);
      this.#checkCall(name, call, known?.calls[place]);
      return { layer: known!.layer, shape: known!.shapes[place] };
    },
    statistics: (name, call, place) => {
      const known = this.#statistics.get(name);
      this.#checkCall(name, call, known?.calls[place]);
      return known!.made;
    },
  };

  /**
   * Refuses a pass that has used less than was made.
   *
   * @param places number of times that the pass has used each name
   * @throws {LayerError} if the pass is refused.
   */
  checkPlaces(places: ReadonlyMap<string, number>): void {
    for (const [name, { calls }] of [...this.#layers, ...this.#statistics]) {
      if (places.get(name) === calls.length) continue;
      const state = calls.length === 1 ? "without" : `with less than ${calls.length} uses of`;
      throw this.#explainOtherLayers(name, `a pass ${state} layer '${name}'`);
    }
  }

  /** Sizes of every layer at all places together. */
  joinShapes(): LayerShape[] {
    return [...this.#layers.values()].map(({ shapes }) => joinPlaces(shapes));
  }

  /** Sizes of a layer at each place. */
  shapesOf(name: string): readonly LayerShape[] {
    return this.#layers.get(name)!.shapes;
  }

  /** Parameters, layer by layer, each weight before its bias. */
  get parameters(): { name: string; variable: tf.Variable; isPlain: boolean }[] {
    return [...this.#layers.values()].flatMap(({ request, layer: { weight, bias } }) => {
      const isPlain = request.kind === "parameter";
      const names = nameTensors(request);
      const variables = bias ? [weight, bias] : [weight];
      return variables.map((variable, i) => ({ name: names[i], variable, isPlain }));
    });
  }

  /** Tensors that are not trained, by their names in a `state_dict`. */
  get frozen(): Weights {
    return new Map([...this.#statistics.values()].flatMap(({ made }) => [...made.tensors]));
  }

  /** Frees all variables and statistics; a second time does nothing. */
  dispose(): void {
    for (const { variable } of this.parameters) variable.dispose();
    for (const { made } of this.#statistics.values()) tf.dispose([made.scale, made.shift]);
    this.#layers.clear();
    this.#statistics.clear();
  }

  /** Makes a layer where it is used first; elsewhere it finds what was made, and adds the sizes at this place. */
  #makeLayer(maker: ParameterMaker, request: LayerRequest): PlacedLayer {
    const { name, call } = request;
    const known = this.#layers.get(name);
    if (!known) {
      this.#refuseTaken(request);
      const placed = makeLayer(maker, request, this.bindingBytes);
      const { layer, shape } = placed;
      this.#layers.set(name, { layer, request, shapes: [shape], calls: [call] });
      return placed;
    }
    const [first, again] = [known.request, request].map(describeWeights);
    if (first !== again) {
      throw new LayerError(
        name,
        "name",
        `Cannot use layer '${name}' again: got ${again} where it was ${first}, need the same at each place, or a name of its own`,
      );
    }
    const { layer, shapes, calls } = known;
    request.prepare?.();
    const shape = request.measure(layer.weight.shape);
    checkOutput(shape, this.bindingBytes);
    shapes.push(shape);
    calls.push(call);
    return { layer, shape };
  }

  /** Refuses a layer one of whose tensors would have the name of another's. */
  #refuseTaken(request: LayerRequest): void {
    const own = nameTensors(request);
    const taken = [...this.#layers.values()].find((other) =>
      nameTensors(other.request).some((tensor) => own.includes(tensor))
    );
    if (!taken) return;
    const { name, kind } = taken.request;
    throw new LayerError(
      request.name,
      "name",
      `Cannot use layer '${request.name}': got a ${request.kind} whose tensors have the names of those of ${kind} '${name}', need a name of its own`,
    );
  }

  /** Refuses a call that differs from the one that made a module, or a module that was not made. */
  #checkCall(name: string, call: string, made: string | undefined): void {
    if (made === call) return;
    throw this.#explainOtherLayers(
      name,
      made === undefined ? `no layer '${name}'` : `layer '${name}' as ${call} where it was ${made}`,
    );
  }

  #explainOtherLayers(name: string, state: string): LayerError {
    return new LayerError(
      name,
      "name",
      `Cannot run ${this.network}: got ${state}, need the same layers each time`,
    );
  }
}

/** Returns the names of a layer's tensors in a `state_dict`: its weight's, and its bias's if it has one. */
function nameTensors({ name, kind, hasBias }: LayerRequest): string[] {
  if (kind === "parameter") return [name];
  return hasBias ? [`${name}.weight`, `${name}.bias`] : [`${name}.weight`];
}

/** Describes the weights that a request wants, but for the number of outputs, which loaded weights determine. */
function describeWeights({ kind, wanted, hasBias }: LayerRequest): string {
  if (kind === "parameter") return `a parameter [${wanted.join(", ")}]`;
  const inputs = wanted.slice(0, -1).join(" x ");
  return `a ${kind} over ${inputs} inputs ${hasBias ? "with" : "without"} bias`;
}

/** Joins a layer's sizes at all places. */
function joinPlaces(shapes: readonly LayerShape[]): LayerShape {
  const [first] = shapes;
  const places = shapes.length;
  if (first.kind !== "dense") return { ...first, places };
  const positions = shapes.reduce((sum, own) => sum + (own as typeof first).positions, 0);
  return { ...first, positions, places };
}
