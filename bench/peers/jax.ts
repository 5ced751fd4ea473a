/**
 * jax-js on its own device of the same adapter: it opens one itself and takes no other.
 *
 * Functions of jax-js consume their arguments; `ref` keeps one. Operations are lazy, and `blockUntilReady` submits and waits for them.
 *
 * @module
 */
import * as jax from "npm:@jax-js/jax@0.1.25";
import type { Weights } from "../../engine/network/parameters.ts";
import type { Floats } from "../case.ts";
import type { Contender } from "../contender.ts";

const { numpy: np, lax, nn } = jax;

/** Number of results that are awaited together: each wait costs some 12 ms in Deno, each result its memory. */
const WAITED_TOGETHER = 16;

/** Opens jax-js's device; false if it finds none. */
export async function openJax(): Promise<boolean> {
  if (!(await jax.init("webgpu")).includes("webgpu")) return false;
  jax.defaultDevice("webgpu");
  return true;
}

/** Enters `matmul(A, A^T)` of a matrix `[n, k]`, row-major. */
export function enterJaxProduct(values: Floats, n: number, k: number): Contender {
  const matrix = np.array(values).reshape([n, k]);
  return enterArray(() => np.matmul(matrix.ref, matrix.ref.transpose()));
}

/** Parameters by name. */
type Parameters = Record<string, jax.Array>;

/**
 * Enters the lpNTK of LeNet-5 by `vmap(grad)` and one `matmul`, compiled as a whole.
 *
 * @param images `[N, 784]`, normalised
 * @param signs `[N, classes]`, equation 2 over the root of the classes
 */
export function enterJaxLpntk(
  weights: Weights,
  images: Floats,
  signs: Floats,
  count: number,
): Contender {
  const parameters: Parameters = {};
  for (const [name, { shape, data }] of weights) {
    parameters[name] = np.array(Float32Array.from(data)).reshape([...shape]);
  }
  const x = np.array(images).reshape([count, 784]);
  const s = np.array(signs).reshape([count, signs.length / count]);
  const signed = (w: Parameters, x: jax.Array, s: jax.Array) => np.sum(forward(w, x).mul(s));
  const gradients = jax.vmap(jax.grad(signed), [null, 0, 0]);
  const multiply = jax.jit((w: Parameters, x: jax.Array, s: jax.Array) => {
    const parts = Object.values(gradients(w, x, s));
    const rows = np.concatenate(parts.map((part) => part.reshape([count, -1])), 1);
    return np.matmul(rows.ref, rows.transpose());
  });
  return enterArray(() => multiply(jax.tree.ref(parameters), x.ref, s.ref));
}

/** Computes the logits `[10]` of one image `[784]`. */
function forward(w: Parameters, image: jax.Array): jax.Array {
  const convolve = (x: jax.Array, name: string, pad: number) =>
    lax.convGeneralDilated(x, w[`${name}.weight`], [1, 1], [[pad, pad], [pad, pad]])
      .add(w[`${name}.bias`].reshape([1, -1, 1, 1]));
  const multiply = (x: jax.Array, name: string) =>
    np.dot(w[`${name}.weight`], x).add(w[`${name}.bias`]);
  const first = pool(nn.relu(convolve(image.reshape([1, 1, 28, 28]), "conv1", 2)));
  const second = pool(nn.relu(convolve(first, "conv2", 0)));
  const third = nn.relu(multiply(second.reshape([400]), "fc1"));
  return multiply(nn.relu(multiply(third, "fc2")), "fc3");
}

/** Maxima of 2 x 2 windows of `[1, C, H, W]`. */
function pool(x: jax.Array): jax.Array {
  const [n, channels, height, width] = x.shape;
  return np.max(x.reshape([n, channels, height / 2, 2, width / 2, 2]), [3, 5]);
}

function enterArray(compute: () => jax.Array): Contender {
  return {
    run: async (repetitions) => {
      for (let done = 0; done < repetitions; done += WAITED_TOGETHER) {
        const length = Math.min(WAITED_TOGETHER, repetitions - done);
        const results = await jax.blockUntilReady(Array.from({ length }, compute));
        for (const result of results) result.dispose();
      }
    },
    read: async () => await compute().data() as Float32Array,
  };
}
