/**
 * The self-test of `lpntk doctor`: the test suite's comparison with float64 twins, run on the user's adapter.
 *
 * @module
 */
import { computeGram, type Dataset, type Engine, type Network } from "../../mod.ts";
import { type Check, check, compare } from "./checks.ts";
import {
  CLASSES,
  CONVOLUTIONS,
  drawSamples,
  evaluate,
  multiply,
  POOLED,
  type Probe,
  SMOOTH,
} from "./probes.ts";
import { testRows } from "./rows.ts";
import { testTraining } from "./training.ts";

/**
 * Compares every GPU kernel that results depend on with float64; of the Gram kernel's variants, the one that the engine uses.
 *
 * A result that is not finite fails its check, and those of what is computed from it.
 *
 * @throws {DeviceError} if the device fails.
 */
export async function testKernels(engine: Engine): Promise<Check[]> {
  using stack = new DisposableStack();
  const data = drawSamples();
  const open = ({ definition }: Probe) =>
    stack.use(engine.network(definition, { seed: 1, classes: CLASSES }, data.shape));
  const network = open(CONVOLUTIONS);
  const weights = await network.weights();
  const exact = evaluate(CONVOLUTIONS, weights, data);
  return [
    await check(
      "pack_filter, convolution, relu, max_pool",
      async () => compare(await engine.logits(network, data), exact.logits),
    ),
    // at ordinary inputs and at inputs near 1e-6
    await testProbe(engine, "tanh, gelu", SMOOTH, open(SMOOTH), data, [data.std, [1e6]]),
    await testProbe(engine, "pointwise, pool, pool_gradient", POOLED, open(POOLED), data, [
      data.std,
    ]),
    ...await testRows(engine, network, data, exact),
    // this check is the last, since it changes the network
    await testTraining(engine, network, data, weights),
  ];
}

/** Checks a network's logits and its kernel, forward and backward, at inputs of each of several standard deviations. */
async function testProbe(
  engine: Engine,
  kernels: string,
  probe: Probe,
  network: Network,
  data: Dataset,
  stds: readonly (readonly number[])[],
): Promise<Check> {
  const weights = await network.weights();
  return await check(kernels, async () => {
    const errors: number[] = [];
    for (const std of stds) {
      const inputs = { ...data, std };
      const { logits, phi } = evaluate(probe, weights, inputs);
      errors.push(compare(await engine.logits(network, inputs), logits));
      using rows = await engine.project(network, inputs);
      errors.push(compare(await computeGram(rows), multiply(phi)));
    }
    return Math.max(...errors);
  });
}
