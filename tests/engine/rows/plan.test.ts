/** Plans: arithmetic without a device. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type RowLayout,
  type RowSlice,
  type Segment,
  sliceRow,
} from "../../../engine/rows/layout.ts";
import { BASE_BYTES, DEVICE_BASE_BYTES, groupSlices, planRows } from "../../../engine/rows/plan.ts";
import { countFlops, pairBlocks, PANEL_ROWS, planChunkRows } from "../../../engine/rows/blocks.ts";
import { type JobRequest, planJob, planPass } from "../../../engine/rows/job.ts";
import { BudgetError } from "../../../engine/errors.ts";
import { readBytes } from "../../../cli/units.ts";

const MEBIBYTE = 2 ** 20;
const BINDING = { bytes: 128 * MEBIBYTE, lines: 8192, panels: 256 };

const plain = (length: number, offset = 0): Segment => ({
  layer: "plain",
  kind: "plain",
  offset,
  length,
});
const layPlain = (length: number): RowLayout => ({ segments: [plain(length)], length });
const layFactored = (inputs: number, outputs: number): RowLayout => ({
  segments: [{ layer: "dense", kind: "factored", offset: 0, positions: 1, inputs, outputs }],
  length: inputs + outputs,
});

/** Job of LeNet-5 on the whole of MNIST. */
const MNIST = { count: 60_000, layout: layPlain(3393), binding: BINDING };

Deno.test("without a budget blocks are as large as may be, and rows stay on the device", () => {
  const plan = planRows(MNIST);
  assert.equal(plan.blockRows, 4096);
  assert.equal(plan.blockCount, 15);
  assert.equal(plan.residence, "device");
  assert.equal(plan.rowBytes, 4 * 3393 * 60_032);
  assert.equal(plan.tileBytes, 64 * MEBIBYTE);
  assert.equal(plan.peakBytes, BASE_BYTES + plan.rowBytes + 4 * plan.tileBytes);
});

Deno.test("a smaller budget takes smaller blocks first, then a file", () => {
  const memoryBytes = BASE_BYTES + 4 * 3393 * 60_032 + 4 * 16 * MEBIBYTE;
  assert.deepEqual(
    [planRows({ ...MNIST, memoryBytes }), planRows({ ...MNIST, memoryBytes: memoryBytes - 1 })]
      .map(({ blockRows, residence }) => [blockRows, residence]),
    [[2048, "device"], [1024, "device"]],
  );
  const { blockRows, residence } = planRows({ ...MNIST, memoryBytes: BASE_BYTES + 300 * MEBIBYTE });
  assert.deepEqual([blockRows, residence], [2048, "file"]);
});

Deno.test("a budget that cannot be kept says how much is needed", () => {
  assert.throws(() => planRows({ ...MNIST, memoryBytes: BASE_BYTES }), {
    name: "BudgetError",
    message: /got a memory budget of 640 MiB, need at least 642 MiB$/,
    gotBytes: BASE_BYTES,
    needBytes: BASE_BYTES + 2 * MEBIBYTE,
  });
  assert.doesNotThrow(() => planRows({ ...MNIST, memoryBytes: BASE_BYTES + 2 * MEBIBYTE }));
});

/** What a device of its own holds of MNIST beside rows. */
const DEVICE_MNIST = DEVICE_BASE_BYTES + 4 * 3393 * 60_032;

Deno.test("memory of a device of its own bounds rows and a tile, and the process three tiles", () => {
  const choose = (bounds: Partial<JobRequest>) => {
    const { blockRows, residence } = planRows({ ...MNIST, ...bounds });
    return [blockRows, residence];
  };
  const whole = DEVICE_MNIST + 64 * MEBIBYTE;
  assert.deepEqual(choose({ deviceBytes: whole }), [4096, "device"]);
  assert.deepEqual(choose({ deviceBytes: whole - 1 }), [2048, "device"]);
  assert.deepEqual(choose({ deviceBytes: whole + 7, usedBytes: 8 }), [2048, "device"]);
  // tiles of 1,024 rows at least, or else a file of rows with larger ones; smaller tiles where there is no room for a file
  const small = DEVICE_MNIST + 4 * MEBIBYTE;
  assert.deepEqual(choose({ deviceBytes: small }), [1024, "device"]);
  assert.deepEqual(choose({ deviceBytes: small - 1 }), [4096, "file"]);
  assert.deepEqual(choose({ deviceBytes: small - 1, fileBytes: 0 }), [512, "device"]);
  const least = DEVICE_MNIST + 4 * 64 * 64;
  assert.deepEqual(choose({ deviceBytes: least, fileBytes: 0 }), [64, "device"]);
  assert.deepEqual(choose({ deviceBytes: least - 1, fileBytes: 0 })[1], "recomputed");
  // no larger blocks than there are rows, or than were asked for
  const few = { count: 500, deviceBytes: DEVICE_BASE_BYTES + 4 * 3393 * 512 + 4 * 512 ** 2 };
  assert.deepEqual(choose(few), [512, "device"]);
  assert.deepEqual(choose({ deviceBytes: least, blockRows: 64 }), [64, "device"]);
  // two blocks of 2,048 rows and a tile of theirs, since two of 4,096 take 106 MiB
  const halves = DEVICE_BASE_BYTES + 2 * 4 * 3393 * 2048 + 16 * MEBIBYTE;
  assert.deepEqual(choose({ deviceBytes: halves }), [2048, "file"]);
  assert.deepEqual(choose({ deviceBytes: halves, fileBytes: 0 }), [2048, "recomputed"]);
  const process = BASE_BYTES + 3 * 64 * MEBIBYTE;
  assert.deepEqual(choose({ hostBytes: process }), [4096, "device"]);
  assert.deepEqual(choose({ hostBytes: process, heldBytes: 1 }), [2048, "device"]);
  // rows on their way from a file are in the process, too
  const filed = { deviceBytes: halves, hostBytes: BASE_BYTES + 3 * 16 * MEBIBYTE };
  const copies = 2 * 4 * 3393 * 2048;
  assert.deepEqual(choose({ ...filed, hostBytes: filed.hostBytes + copies }), [2048, "file"]);
  assert.deepEqual(choose({ ...filed, hostBytes: filed.hostBytes + copies - 1 }), [1024, "file"]);
});

Deno.test("a device of its own leaves room for others, and holds as much of recomputed rows as it can", () => {
  const job = { ...MNIST, layers: LAYERS, isSketched: false };
  const tiles = BASE_BYTES + 3 * 64 * MEBIBYTE;
  // the others' three tiles of a panel
  const both = tiles + 3 * 4 * 64 * 64;
  const plan = (bounds: Partial<JobRequest>) => planJob({ ...job, ...bounds }).rows.blockRows;
  assert.equal(plan({ hostBytes: both, others: 10_000 }), 4096);
  assert.equal(plan({ hostBytes: both - 1, others: 10_000 }), 2048);
  assert.equal(plan({ hostBytes: both - 1 }), 4096);
  const deviceBytes = 2 ** 32;
  const { residence, heldLength, ...rows } = planRows({ ...CIFAR, deviceBytes, fileBytes: 0 });
  assert.equal(residence, "recomputed");
  assert.ok(heldLength > BINDING.lines && heldLength < CIFAR.layout.length);
  assert.ok(rows.deviceBytes <= deviceBytes);
  // another slice of two blocks has no room
  assert.ok(rows.deviceBytes + 2 * 4 * rows.blockRows * BINDING.lines > deviceBytes);
});

Deno.test("the two accounts of a plan are what both hold together", () => {
  for (const residence of ["device", "file", "recomputed"] as const) {
    for (const memoryBytes of [2, 4].map((gibibytes) => gibibytes * 2 ** 30)) {
      const used = { heldBytes: 5, usedBytes: 7 };
      const plan = planRows({ ...MNIST, ...used, memoryBytes, residence });
      assert.equal(plan.peakBytes, plan.hostBytes + plan.deviceBytes - DEVICE_BASE_BYTES);
      const { peakBytes } = planRows({ ...MNIST, memoryBytes: memoryBytes - 12, residence });
      assert.equal(plan.peakBytes, peakBytes + 12);
    }
  }
});

Deno.test("a bound of the process or of the device says whose it is, and the one that is named is enough", () => {
  const size = fc.integer({ min: 1, max: 20_000 });
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 200_000 }),
    fc.record({ inputs: size, outputs: size, positions: fc.constantFrom(1, 2) }),
    fc.integer({ min: 1, max: 2 ** 21 }),
    fc.record({
      hostBytes: fc.integer({ min: 1, max: 2 ** 33 }),
      deviceBytes: fc.integer({ min: 1, max: 2 ** 33 }),
      heldBytes: fc.integer({ min: 0, max: 2 ** 31 }),
      fileBytes: fc.constantFrom(0, Infinity),
      residence: fc.constantFrom(undefined, "device", "file", "recomputed"),
      blockRows: fc.constantFrom(undefined, PANEL_ROWS, 1024),
      others: fc.constantFrom(0, 1, 10_000),
    }),
    (count, { inputs, outputs, positions }, output, { hostBytes, deviceBytes, ...options }) => {
      const sizes = { positions, inputs, outputs };
      const length = positions * (inputs + outputs);
      const plan = (hostBytes: number, deviceBytes: number) =>
        planJob({
          ...options as Pick<JobRequest, "residence" | "blockRows">,
          count,
          layout: { segments: [{ layer: "a", kind: "factored", offset: 0, ...sizes }], length },
          binding: { ...BINDING, bytes: 2 ** 30, lines: 2 ** 20 },
          layers: [{ outputShape: [output] }],
          isSketched: false,
          hostBytes,
          deviceBytes,
        }).rows;
      // each refusal raises the bound that it names to what it says is enough
      for (const seen = new Set<string>();;) {
        try {
          const rows = plan(hostBytes, deviceBytes);
          assert.ok(rows.hostBytes <= hostBytes && rows.deviceBytes <= deviceBytes);
          return;
        } catch (error) {
          assert.ok(error instanceof BudgetError, `${error}`);
          const { owner, gotBytes, needBytes } = error;
          assert.match(error.message, new RegExp(`for the ${owner}, need at least [\\d,]+ MiB$`));
          assert.ok(!seen.has(owner), `${owner} twice`);
          seen.add(owner);
          assert.equal(gotBytes, owner === "process" ? hostBytes : deviceBytes);
          if (owner === "process") hostBytes = needBytes;
          else deviceBytes = needBytes;
          assert.throws(
            () =>
              plan(
                owner === "process" ? needBytes - MEBIBYTE : hostBytes,
                owner === "device" ? needBytes - MEBIBYTE : deviceBytes,
              ),
            BudgetError,
          );
        }
      }
    },
  ));
});

Deno.test("whatever is planned fits the budget and the device, and covers every row", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 200_000 }),
    fc.integer({ min: 1, max: 200_000 }),
    fc.integer({ min: 400, max: 20_000 }),
    (count, length, mebibytes) => {
      const memoryBytes = mebibytes * MEBIBYTE;
      let plan;
      try {
        plan = planRows({ count, layout: layPlain(length), binding: BINDING, memoryBytes });
      } catch (error) {
        assert.ok(error instanceof RangeError);
        return;
      }
      assert.ok(plan.peakBytes <= memoryBytes);
      assert.equal(plan.blockRows % PANEL_ROWS, 0);
      assert.ok(plan.tileBytes <= BINDING.bytes);
      assert.ok(plan.sliceCount >= length / BINDING.lines);
      assert.ok(plan.blockRows * plan.blockCount >= count);
      assert.ok(plan.blockRows * (plan.blockCount - 1) < count);
    },
  ));
});

Deno.test("FLOPs of a symmetric kernel are those of the panels on and above the diagonal", () => {
  for (const [count, rowLength] of [[1, 7], [64, 5], [65, 3], [640, 2]]) {
    const panels = Math.ceil(count / PANEL_ROWS);
    const pairs = pairBlocks(panels, panels, true).length;
    assert.equal(countFlops(rowLength, count), 2 * pairs * PANEL_ROWS ** 2 * rowLength);
  }
  assert.equal(countFlops(3, 5, 7), 2 * 3 * 5 * 7);
});

/** Network with a layer of 10 floats an image, and one of 2 x 3. */
const LAYERS = [{ outputShape: [10] }, { outputShape: [1, 2, 3] }];

Deno.test("a batch is whole panels, or a panel in equal parts", () => {
  for (const [fitting, batch] of [[1, 1], [3, 2], [63, 32], [64, 64], [191, 128], [1000, 256]]) {
    const binding = { bytes: 4 * 10 * fitting, lines: 1, panels: 1 };
    assert.equal(planPass({ layers: LAYERS, longest: 7, binding }).batch, batch);
    // a quarter of the budget holds the layers' 16 floats four times
    const memoryBytes = 4 * 4 * 4 * 16 * fitting;
    const plan = planPass({ layers: LAYERS, longest: 7, binding: BINDING, memoryBytes });
    assert.deepEqual(plan, {
      batch,
      holdsPanel: false,
      bytes: batch * 4 * 4 * 16 + 4 * Math.max(batch, PANEL_ROWS) * 7,
      width: 10,
    });
    const timely = planPass({ layers: LAYERS, longest: 7, binding: BINDING, timelyBatch: fitting });
    assert.deepEqual(timely, plan);
    // filters compute as much again as the largest layer
    const sketched = planPass({
      layers: LAYERS,
      longest: 7,
      isSketched: true,
      binding: BINDING,
      memoryBytes: memoryBytes * 26 / 16,
    });
    assert.deepEqual([sketched.batch, sketched.width], [batch, 10]);
    assert.equal(sketched.bytes - plan.bytes, batch * 4 * 4 * 10);
    // eight copies of the largest output
    const copied = planPass({
      layers: LAYERS,
      longest: 7,
      isCopied: true,
      binding: BINDING,
      memoryBytes: memoryBytes * (4 * 16 + 8 * 10) / (4 * 16),
    });
    assert.equal(copied.batch, batch);
    assert.equal(copied.bytes - plan.bytes, batch * 4 * 8 * 10);
  }
  // two copies of what layers give and 3.25 of other operations' results, where these are more than four of the layers'
  const tensors = { largest: 40, total: 100 };
  const floats = 2 * 16 + 3.25 * (100 - 16);
  const wide = { layers: LAYERS, tensors, longest: 7, most: 16 };
  const bound = { bytes: 4 * 40 * 9, lines: 1, panels: 1 };
  const staged = 4 * PANEL_ROWS * 7;
  assert.deepEqual(planPass({ ...wide, binding: bound }), {
    batch: 8,
    holdsPanel: false,
    bytes: 8 * 4 * floats + staged,
    width: 10,
  });
  const affordable = { ...wide, binding: BINDING, memoryBytes: 4 * 4 * floats * 4 };
  assert.equal(planPass(affordable).batch, 4);
  const few = { ...wide, tensors: { largest: 4, total: 20 }, binding: BINDING };
  assert.equal(planPass(few).bytes, 16 * 4 * 4 * 16 + staged);
  // the factors of small passes are held for a panel where a quarter of the budget has room for them
  const small = { layers: LAYERS, longest: 7, binding: BINDING, timelyBatch: 8, mayHold: true };
  const held = 8 * 4 * 4 * 16 + 56 * 4 * 2 * 16;
  const measure = (batch: number, rows = PANEL_ROWS) => 4 * 16 * (4 * batch + 2 * (rows - batch));
  assert.equal(measure(8), held);
  for (const [memoryBytes, batch] of [[4 * held, 8], [4 * held - 1, 4], [4 * measure(1), 1]]) {
    const bytes = measure(batch) + staged;
    const plan = planPass({ ...small, memoryBytes });
    assert.deepEqual(plan, { batch, holdsPanel: true, bytes, width: 10 });
  }
  const { batch, holdsPanel } = planPass({ ...small, memoryBytes: 4 * measure(1) - 1 });
  assert.deepEqual([batch, holdsPanel], [8, false]);
  const sixteen = planPass({ ...small, memoryBytes: 4 * measure(8, 16), panelRows: 16 });
  assert.deepEqual([sixteen.batch, sixteen.bytes], [8, measure(8, 16) + staged]);
  const binding = { bytes: 39, lines: 1, panels: 1 };
  assert.throws(() => planPass({ layers: LAYERS, longest: 7, binding }), /need at most 9 on this/);
  const tight = { layers: LAYERS, longest: 7, binding: BINDING, memoryBytes: 1 };
  assert.equal(planPass(tight).batch, 1);
});

Deno.test("a budget is printed as it was given, and the one that is named is enough", () => {
  const size = fc.integer({ min: 1, max: 5000 });
  const segment = fc.oneof(
    fc.record({ kind: fc.constant("plain" as const), length: size }),
    fc.record({
      kind: fc.constant("factored" as const),
      positions: fc.constantFrom(1, 2, 16),
      inputs: size,
      outputs: fc.integer({ min: 1, max: 3000 }),
    }),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300_000 }),
      fc.array(segment, { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 2 ** 21 }), { minLength: 1, maxLength: 4 }),
      fc.record({
        unit: fc.constantFrom([1, "bytes"], [2 ** 10, "KiB"], [MEBIBYTE, "MiB"], [2 ** 30, "GiB"]),
        // not a multiple of 1,024, which would be printed in the next unit
        number: fc.integer({ min: 1, max: 1023 }),
        usedBytes: fc.integer({ min: 0, max: 2 ** 31 }),
        fileBytes: fc.constantFrom(0, 2 ** 30, Infinity),
        residence: fc.constantFrom(undefined, "device", "file", "recomputed"),
        blockRows: fc.constantFrom(undefined, PANEL_ROWS, 1024),
        isSketched: fc.boolean(),
        others: fc.constantFrom(0, 1, 10_000),
      }),
      (count, parts, outputs, { unit: [unit, name], number, ...options }) => {
        let length = 0;
        const segments = parts.map((part, i) => {
          const segment = { ...part, layer: `layer${i}`, offset: length } as Segment;
          length += part.kind === "plain"
            ? part.length
            : part.positions * (part.inputs + part.outputs);
          return segment;
        });
        const plan = (memoryBytes: number, beside = {}) =>
          planJob({
            ...options as Pick<JobRequest, "residence" | "blockRows" | "isSketched">,
            count,
            layout: { segments, length },
            binding: { ...BINDING, lines: 2 ** 20 },
            layers: outputs.map((output) => ({ outputShape: [output] })),
            memoryBytes,
            ...beside,
          });
        const memoryBytes = number * Number(unit);
        let error: unknown;
        try {
          assert.ok(plan(memoryBytes).rows.peakBytes <= memoryBytes);
          return;
        } catch (thrown) {
          error = thrown;
        }
        assert.ok(error instanceof BudgetError, `${error}`);
        const [, got, need] = error.message.match(/budget of (.*), need at least ([\d,]+ MiB)$/)!;
        assert.equal(got, `${number.toLocaleString("en")} ${name}`);
        assert.equal(readBytes(got), error.gotBytes);
        assert.equal(readBytes(need), error.needBytes);
        assert.equal(error.gotBytes, memoryBytes);
        assert.ok(plan(error.needBytes).rows.peakBytes <= error.needBytes);
        // a budget that is 1 MiB less is not enough
        assert.throws(() => plan(error.needBytes - MEBIBYTE), BudgetError);
        const { rows } = plan(error.needBytes);
        if (rows.residence === "device" && options.others > 0) {
          const usedBytes = options.usedBytes + rows.rowBytes;
          plan(error.needBytes, { count: options.others, others: 0, usedBytes });
        }
        // a larger budget has room, too
        for (const share of [1.01, 1.1, 1.5, 3]) plan(Math.ceil(share * error.needBytes));
      },
    ),
    { numRuns: 300 },
  );
});

/** Job of ResNet-18 on the whole of CIFAR-10. */
const CIFAR = { count: 50_000, layout: layPlain(11_164_362), binding: BINDING };

Deno.test("rows for which there is no room are recomputed, with the fewest passes that memory allows", () => {
  const memoryBytes = 8 * 2 ** 30;
  const fileBytes = 2 ** 40;
  const plan = planRows({ ...CIFAR, memoryBytes, fileBytes });
  assert.equal(plan.residence, "recomputed");
  assert.equal(planRows({ ...CIFAR, memoryBytes, fileBytes: 2 ** 42 }).residence, "file");
  assert.equal(planRows({ ...CIFAR, memoryBytes: 2 ** 42, fileBytes }).residence, "device");
  const others = [64, 128, 256, 512, 1024, 2048, 4096].map((blockRows) =>
    planRows({ ...CIFAR, memoryBytes, fileBytes, blockRows })
  );
  assert.equal(plan.passes, Math.min(...others.map(({ passes }) => passes)));
  for (const { heldLength, blockRows, peakBytes, tileBytes } of others) {
    const room = heldLength - heldLength % BINDING.lines;
    assert.ok(peakBytes >= BASE_BYTES + 8 * blockRows * room + 4 * tileBytes);
    assert.ok(peakBytes <= memoryBytes);
    const isWhole = heldLength === CIFAR.layout.length;
    assert.ok(isWhole || peakBytes > memoryBytes - 8 * blockRows * BINDING.lines);
  }
});

Deno.test("recomputed rows leave room for the kernel that clustering holds, unless it takes half of it", () => {
  const memoryBytes = 4 * 2 ** 30;
  const spare = (count: number) => {
    const request = { ...CIFAR, count, memoryBytes, blockRows: 64 };
    return memoryBytes - planRows({ ...request, residence: "recomputed" }).peakBytes;
  };
  assert.ok(spare(20_000) >= 4 * 20_000 ** 2, `${spare(20_000)}`);
  // of blocks of 64 rows a slice takes 4 MiB
  assert.ok(spare(25_000) < 0.1 * memoryBytes, `${spare(25_000)}`);
});

Deno.test("passes of recomputed rows are those that a sweep over the tiles takes", () => {
  const layout = layPlain(20_000);
  const count = 300;
  for (const [memory, groups] of [[2 * 4 * 64 * 20_000, 1], [2 * 4 * 64 * 12_000, 2]]) {
    const plan = planRows({
      count,
      layout,
      binding: BINDING,
      blockRows: 64,
      residence: "recomputed",
      // beside tiles, and the kernel, for which room is left
      memoryBytes: BASE_BYTES + 4 * 4 * 64 * 64 + 4 * count ** 2 + memory,
    });
    const slices = sliceRow(layout, BINDING.lines);
    assert.equal(groupSlices(slices, plan.heldLength).length, groups);
    // fills of two slots, of which the least recently bound makes room
    let fills = 0;
    let held: string[] = [];
    const bind = (slot: string) => {
      if (!held.includes(slot)) fills++;
      held = [...held.filter((other) => other !== slot), slot].slice(-2);
    };
    for (let block = 0; block < plan.blockCount; block++) {
      for (let group = 0; group < groups; group++) bind(`${block} ${group}`);
    }
    const [own, before] = [fills, held];
    held = before;
    for (const { row, column } of pairBlocks(plan.blockCount, plan.blockCount, true)) {
      for (let group = 0; group < groups; group++) {
        [row, column].forEach((b) => bind(`${b} ${group}`));
      }
    }
    assert.ok(own === plan.blockCount * groups);
    const expected = fills * 64 / count;
    assert.ok(Math.abs(plan.passes / expected - 1) < 0.15, `${plan.passes}, counted ${expected}`);
  }
});

for (
  const [layout, bytes, chunkRows, what] of [
    [layPlain(3_393), 2 ** 27, 1024, "LeNet-5 on the smallest device"],
    [layPlain(11_000_000), 2 ** 27, 1024, "ResNet-18 there"],
    [layFactored(50_000, 1_264), 2 ** 27, 640, "a dense layer of which a device binds 10 panels"],
    [layPlain(10), 64 * 64 * 4, 64, "a device that binds a tile of one panel"],
  ] as const
) {
  Deno.test(`chunks of ${chunkRows} rows for ${what}`, () => {
    assert.equal(planChunkRows(layout, { bytes, lines: 65_000, panels: Infinity }), chunkRows);
  });
}

Deno.test("a dense layer of which not one panel can be bound is refused, whatever stands in the way", () => {
  const layout = layFactored(40_000, 10_001);
  const limits = [{ bytes: 2 ** 40, lines: 50_000 }, { bytes: 4 * 64 * 50_000, lines: 2 ** 40 }]
    .map((limit) => ({ ...limit, panels: 1 }));
  for (const binding of limits) {
    assert.throws(() => planChunkRows(layout, binding), {
      name: "RangeError",
      message: /got 50001 numbers that belong together, need at most 50000 on this device/,
    });
  }
  assert.doesNotThrow(() => planChunkRows(layout, { bytes: 2 ** 40, lines: 50_001, panels: 1 }));
});

Deno.test("a layer that is too long for a device is told a length that is not", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 20_000 }),
    fc.integer({ min: 1, max: 20_000 }),
    fc.constantFrom(1, 4, 16),
    fc.record({
      bytes: fc.integer({ min: 2 ** 18, max: 2 ** 23 }),
      lines: fc.integer({ min: 256, max: 8192 }),
      panels: fc.constantFrom(16, 256, Infinity),
    }),
    (inputs, outputs, positions, binding) => {
      const lay = (lines: number, outputs: number): RowLayout => {
        const sizes = { positions, inputs: lines - outputs, outputs };
        const segment = { layer: "a", kind: "factored", offset: 0, ...sizes } as const;
        return { segments: [segment], length: positions * lines };
      };
      try {
        planChunkRows(lay(inputs + outputs, outputs), binding);
      } catch (error) {
        const [, most] = (error as Error).message.match(/need at most (\d+) on this device/)!;
        const fits = (length: number) =>
          planChunkRows(lay(Math.floor(length / positions), 1), binding);
        fits(Number(most));
        assert.throws(() => fits(Number(most) + positions), RangeError);
      }
    },
  ));
});

Deno.test("slices hold whole entries, as many as fit, and together the row", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 }),
    fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    fc.integer({ min: 1, max: 30_000 }),
    (sizes, isFactored, limit) => {
      let length = 0;
      const segments = sizes.map((size, i): Segment => {
        const offset = length;
        length += size + (isFactored[i] ? 3 : 0);
        return isFactored[i]
          ? { layer: `${i}`, kind: "factored", offset, positions: 1, inputs: size, outputs: 3 }
          : { ...plain(size, offset), layer: `${i}` };
      });
      const [whole] = sliceRow({ segments, length }, Infinity);
      const slices = sliceRow({ segments, length }, limit);
      const parts = (slice: RowSlice) =>
        Array.from({ length: slice.table.length / 4 }, (_, i) => {
          const [offset, ...rest] = slice.table.subarray(4 * i, 4 * i + 4);
          return [offset + slice.offset, ...rest];
        });
      assert.deepEqual(slices.flatMap(parts), parts(whole));
      let end = 0;
      for (const [i, slice] of slices.entries()) {
        assert.equal(slice.index, i);
        assert.equal(slice.offset, end);
        end += slice.length;
        // an entry begins a sum
        const [first, second = end] = parts(slice).filter(([, , begins]) => begins).map(([at]) =>
          at
        );
        assert.equal(first, slice.offset);
        assert.ok(slice.length <= limit || second === end);
        const before = slices[i - 1];
        assert.ok(!before || second - before.offset > limit);
      }
      assert.equal(end, length);
    },
  ));
});

Deno.test("a kernel's loops over a slice take fewer steps than a driver ends them after", () => {
  const count = 400;
  const segments = Array.from({ length: count }, (_, i): Segment => (
    { layer: `${i}`, kind: "factored", offset: 120 * i, positions: 1, inputs: 100, outputs: 20 }
  ));
  const slices = sliceRow({ segments, length: 120 * count }, 65_000);
  for (const { length, table } of slices) assert.ok(length + table.length / 4 <= 65_535);
  assert.equal(slices.length, 2);
});

Deno.test("entries are summed in parts of at most 256 numbers, plain neighbours in entries of at most 4,096", () => {
  const layout = {
    segments: [
      plain(4000),
      plain(4292, 4000),
      {
        layer: "c",
        kind: "factored",
        offset: 8292,
        positions: 1,
        inputs: 5000,
        outputs: 300,
      } as const,
      plain(4096, 13592),
    ],
    length: 17688,
  };
  // offset, length, whether a sum begins, and how the part ends: 0 goes on, 1 adds, 2 multiplies
  const whole = (offset: number, length: number, last: number) =>
    Array.from({ length: Math.ceil(length / 256) }, (_, i) => {
      const rest = length - 256 * i;
      return [offset + 256 * i, Math.min(rest, 256), i === 0 ? 1 : 0, rest <= 256 ? last : 0];
    });
  assert.deepEqual(
    [...sliceRow(layout, Infinity)[0].table],
    [
      whole(0, 4096, 1),
      whole(4096, 4096, 1),
      whole(8192, 100, 1),
      whole(8292, 5000, 0),
      [[13292, 256, 0, 2], [13548, 44, 0, 2]],
      whole(13592, 4096, 1),
    ].flat(2),
  );
});
