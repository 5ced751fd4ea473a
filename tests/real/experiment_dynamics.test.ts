/**
 * The quick settings of extreme and difficulty on real MNIST: what has to hold at that size.
 *
 * LPNTK_DATA names the folder that holds `mnist/`; without it the tests are left out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ignore, runQuick } from "./quick.ts";

Deno.test({
  name: "all that appendix D.1 says of two samples with one image is so",
  ignore,
  async fn() {
    const { claims } = await runQuick("extreme");
    assert.equal(claims.length, 5);
    for (const { what, ours, verdict } of claims) {
      assert.equal(verdict, "agrees", `${what}: ${ours}`);
    }
  },
});

Deno.test({
  name: "difficulty on the whole set has the less to do with that on subsets the smaller they are",
  ignore,
  async fn() {
    const { metrics } = await runQuick("difficulty");
    assert.deepEqual(metrics.excluded, []);
    const rho = new Map<number, { value: number; low: number; high: number }>(
      metrics.rho.map(({ size, ...own }: { size: number }) => [size, own]),
    );
    // Half of the samples see nearly what all of them see.
    assert.ok(rho.get(1000)!.value > 0.9, JSON.stringify(metrics.rho));
    // Down to ten samples the intervals lie apart, one below the other. Below ten they are not held to an order: the loss before anything is
    // learnt, which all models share, and the classes that a subset happens to hold weigh more there than its size. In 30 epochs rho at one
    // sample is even above that at five.
    for (const [larger, smaller] of [[1000, 200], [200, 40], [40, 10], [1000, 1]]) {
      const [above, below] = [rho.get(larger)!, rho.get(smaller)!];
      assert.ok(below.high < above.low, `${larger}, ${smaller}: ${JSON.stringify(metrics.rho)}`);
    }
  },
});
