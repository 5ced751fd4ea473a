/**
 * The self-test of `lpntk doctor`: the test suite's comparison carried to the user's adapter, so it uses the suite's float64 twins.
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
  type Probe,
  SMOOTH,
} from "./probes.ts";
import { testRows } from "./rows.ts";
import { testTraining } from "./training.ts";

/**
 * Holds every kernel that answers depend on against float64; of the Gram kernel's variants, the one that the engine uses.
 *
 * A number that is none fails its check, and with it those of what is made from it.
 *
 * @throws {DeviceError} if the device fails.
 */
export async function testKernels(engine: Engine): Promise<Check[]> {
  using stack = new DisposableStack();
  const data = drawSamples();
  const open = ({ definition }: Probe) =>
    stack.use(engine.network(definition, { seed: 1, classes: CLASSES }, data.shape));
  const [network, smooth] = [open(CONVOLUTIONS), open(SMOOTH)];
  const weights = await network.weights();
  const exact = evaluate(CONVOLUTIONS, weights, data);
  return [
    await check(
      "pack_filter, convolution, relu, max_pool",
      async () => compare(await engine.logits(network, data), exact.logits),
    ),
    await testActivations(engine, smooth, data),
    ...await testRows(engine, network, data, exact),
    // last, since it changes the network
    await testTraining(engine, network, data, weights),
  ];
}

/** Tanh and gelu, forward and back, at ordinary inputs and at some of 1e-6. */
async function testActivations(engine: Engine, network: Network, data: Dataset): Promise<Check> {
  const weights = await network.weights();
  return await check("tanh, gelu", async () => {
    const errors: number[] = [];
    for (const std of [data.std, [1e6]]) {
      const inputs = { ...data, std };
      const { logits, phi } = evaluate(SMOOTH, weights, inputs);
      errors.push(compare(await engine.logits(network, inputs), logits));
      using rows = await engine.project(network, inputs);
      errors.push(compare(await computeGram(rows), multiply(phi)));
    }
    return Math.max(...errors);
  });
}
