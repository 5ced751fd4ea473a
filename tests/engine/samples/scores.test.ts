/** Loss and EL2N from logits: by hand, and as properties. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { scoreLogits } from "../../../engine/samples/scores.ts";

Deno.test("loss and EL2N of logits whose softmax is known", () => {
  // softmax of [ln 1, ln 2, ln 5] is [1/8, 2/8, 5/8]
  const row = [1, 2, 5].map((odds) => Math.fround(Math.log(odds)));
  const { loss, el2n } = scoreLogits(Float32Array.from([...row, ...row]), [2, 0]);
  const close = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual - expected) < 1e-7, `${actual}, not ${expected}`);
  close(loss[0], -Math.log(5 / 8));
  close(loss[1], -Math.log(1 / 8));
  close(el2n[0], Math.hypot(1, 2, 3) / 8);
  close(el2n[1], Math.hypot(7, 2, 5) / 8);
});

Deno.test("scores stay finite and in range for logits of any size, and a shift changes nothing", () => {
  const logit = fc.integer({ min: -1000, max: 1000 });
  fc.assert(
    fc.property(
      fc.array(logit, { minLength: 2, maxLength: 6 }),
      fc.nat(),
      fc.integer({ min: -9, max: 9 }),
      (row, at, shift) => {
        const label = at % row.length;
        const { loss, el2n } = scoreLogits(Float32Array.from(row), [label]);
        assert.ok(loss[0] >= 0 && loss[0] <= 2000 + Math.log(row.length), `${loss[0]}`);
        assert.ok(el2n[0] >= 0 && el2n[0] <= Math.SQRT2 + 1e-15, `${el2n[0]}`);
        const shifted = scoreLogits(Float32Array.from(row, (z) => z + shift), [label]);
        assert.deepEqual(shifted, { loss, el2n });
      },
    ),
  );
});

Deno.test("logits that do not fit the labels are refused", () => {
  for (
    const [length, labels] of [[5, [0, 1]], [0, [0]], [3, []], [4, [0, 2]], [4, [0, -1]]] as const
  ) {
    assert.throws(() => scoreLogits(new Float32Array(length), labels), RangeError);
  }
});

Deno.test("loss and EL2N of a prediction that is all but certain keep their digits", () => {
  for (const gap of [20, 40, 80]) {
    const { loss, el2n } = scoreLogits(Float32Array.of(gap, 0), [0]);
    const close = (actual: number, expected: number) =>
      assert.ok(Math.abs(actual / expected - 1) < 1e-14, `${actual}, not ${expected}`);
    close(loss[0], Math.log1p(Math.exp(-gap)));
    close(el2n[0], Math.SQRT2 * Math.exp(-gap) / (1 + Math.exp(-gap)));
  }
});

Deno.test("logits that are not finite are named by their sample", () => {
  for (const logit of [NaN, Infinity, -Infinity]) {
    assert.throws(() => scoreLogits(Float32Array.of(0, 1, logit, 3), [0, 1]), {
      name: "RangeError",
      message: `Cannot score samples: got logit ${logit} of sample 1, need finite numbers`,
    });
  }
});
