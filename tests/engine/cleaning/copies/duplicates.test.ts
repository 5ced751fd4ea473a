/** Copies: planted ones are found, look-alikes are not, and many equal samples cost no more than different ones. @module */
import assert from "node:assert/strict";
import { findDuplicates } from "../../../../engine/cleaning/copies/duplicates.ts";
import { saveAsJpeg } from "../../../../engine/cleaning/copies/jpeg.ts";
import { createDataset, type Dataset, takeSamples } from "../../../../engine/data/dataset.ts";
import { drawDigits } from "../../../../engine/data/digits.ts";
import type { CallOptions } from "../../../../engine/gpu/pace.ts";
import { drawNumbers } from "../../gpu/open.ts";
import { testEngine } from "../../open_engine.ts";

type Shape = Dataset["shape"];

/** Makes a data set of pictures; labels are the index, three classes in turns. */
function collect(pictures: readonly ArrayLike<number>[], shape: Shape): Dataset {
  const size = shape[0] * shape[1] * shape[2];
  const images = new Uint8Array(pictures.length * size);
  pictures.forEach((picture, n) => images.set(picture, n * size));
  const labels = pictures.map((_, n) => n % 3);
  return createDataset({ name: "drawn", split: "train", images, labels, shape, classes: 3 });
}

/** Draws pictures of some waves and grain, in colour or grey; no two have anything to do with each other. */
function drawPictures(seed: number, count: number, [height, width, channels]: Shape): Uint8Array[] {
  return Array.from({ length: count }, (_, n) => {
    const random = drawNumbers(seed + n, 24 * channels);
    const grain = drawNumbers(seed + n + 1e6, height * width * channels);
    return Uint8Array.from(grain, (noise, i) => {
      const [y, x, c] = [
        Math.floor(i / width / channels),
        Math.floor(i / channels) % width,
        i % channels,
      ];
      let level = 128 + 8 * noise;
      for (let k = 0; k < 24; k += 4) {
        const [down, right, phase, colour] = random.subarray(k, k + 4);
        const angle = 0.3 * (down * y + right * x) + 6 * phase;
        level += 20 * Math.cos(angle) * (1 + colour * (c - 1) / 2);
      }
      return Math.min(255, Math.max(0, Math.round(level)));
    });
  });
}

function shift(picture: Uint8Array, [height, width, channels]: Shape, down: number, right: number) {
  return picture.map((_, i) => {
    const [y, x, c] = [
      Math.floor(i / width / channels),
      Math.floor(i / channels) % width,
      i % channels,
    ];
    const row = (y + down + height) % height;
    return picture[(row * width + (x + right + width) % width) * channels + c];
  });
}

function brighten(picture: Uint8Array, by: number): Uint8Array {
  return Uint8Array.from(picture, (level) => Math.min(255, Math.max(0, level + by)));
}

function saveAgain(picture: Uint8Array, shape: Shape): Uint8Array {
  return Uint8Array.from(saveAsJpeg(Float64Array.from(picture), shape, 60), Math.round);
}

/** Computes Pearson's correlation from deviations. */
function correlate(first: Uint8Array, second: Uint8Array): number {
  const [p, q] = [first, second].map((levels) => {
    const mean = levels.reduce((sum, level) => sum + level, 0) / levels.length;
    return Array.from(levels, (level) => level - mean);
  });
  const multiply = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  return multiply(p, q) / Math.sqrt(multiply(p, p) * multiply(q, q));
}

/** Finds groups as lists of positions with their kinds. */
async function findGroups(...[engine, data]: Parameters<typeof findDuplicates>) {
  const groups = await findDuplicates(engine, data);
  return groups.map((group) => group.map(({ position, kind }) => `${position} ${kind}`));
}

for (const shape of [[28, 28, 1], [32, 32, 3], [24, 17, 3], [9, 40, 2]] as const) {
  testEngine(
    `copies of each kind are found, and nothing else, at ${shape.join(" x ")}`,
    async (engine) => {
      const pictures = drawPictures(10 * shape[1], 70, shape);
      const [a, b, c, d, e, f] = pictures;
      const copies = [
        a.slice(),
        shift(b, shape, 1, -1),
        brighten(c, 18),
        brighten(d, -18),
        saveAgain(e, shape),
        brighten(shift(f, shape, -1, 0), 10),
      ];
      const data = collect([...pictures, ...copies], shape);
      assert.deepEqual(
        await findGroups(engine, data),
        copies.map((_, k) => [`${k} kept`, `${70 + k} ${k === 0 ? "exact" : "near"}`]),
      );
      for (const [kept, copy] of await findDuplicates(engine, data)) {
        assert.equal(kept.similarity, 1);
        assert.ok(copy.similarity <= 1 && copy.similarity > 0.9, `${copy.similarity}`);
        if (copy.kind === "exact") assert.equal(copy.similarity, 1);
      }
    },
  );
}

testEngine(
  "digits of one class are no copies, a digit that is shifted or saved again is",
  async (engine) => {
    const digits = drawDigits("train", { size: 600, seed: 1000 });
    const picture = (n: number) => Uint8Array.from(digits.images.subarray(n * 784, (n + 1) * 784));
    const pictures = Array.from(digits.labels, (_, n) => picture(n));
    const copies = [
      shift(picture(3), digits.shape, 1, 1),
      saveAgain(picture(5), digits.shape),
      brighten(picture(8), 18),
    ];
    assert.deepEqual(await findGroups(engine, collect([...pictures, ...copies], digits.shape)), [
      ["3 kept", "600 near"],
      ["5 kept", "601 near"],
      ["8 kept", "602 near"],
    ]);
  },
);

testEngine(
  "float pictures in any unit have the copies of the same pictures in bytes",
  async (engine) => {
    const shape = [16, 16, 1] as const;
    const pictures = drawPictures(1, 20, shape);
    // a look-alike, with a bright spot of 3 x 3 pixels
    const spotted = pictures[6].map((level, i) =>
      i % 16 < 3 && i < 48 ? (level + 120) % 256 : level
    );
    const data = collect(
      [...pictures, shift(pictures[4], shape, 0, 1), pictures[2], spotted],
      shape,
    );
    const scaled = createDataset({
      ...data,
      images: Float32Array.from(data.images, (level) => level / 1024 - 3),
    });
    const expected = [["2 kept", "21 exact"], ["4 kept", "20 near"]];
    assert.deepEqual(await findGroups(engine, data), expected);
    assert.deepEqual(await findGroups(engine, scaled), expected);
  },
);

testEngine(
  "pictures of faint grain that have little in common are no copies, nor are gradients of other contrast",
  async (engine) => {
    const shape = [16, 16, 1] as const;
    const faint = [1, 2, 3, 4].map((seed) =>
      Uint8Array.from(drawNumbers(seed, 256), (value) => 100.5 + value)
    );
    const gradients = [4, 8].map((slope) =>
      Uint8Array.from({ length: 256 }, (_, i) => 60 + slope * (i % 16))
    );
    const range = Uint8Array.from({ length: 256 }, (_, i) => i);
    assert.deepEqual(await findGroups(engine, collect([...faint, ...gradients, range], shape)), []);
  },
);

testEngine(
  "exact and near copies of one sample are one group, whatever its labels",
  async (engine) => {
    const shape = [16, 16, 1] as const;
    const pictures = drawPictures(2, 12, shape);
    const moved = shift(pictures[1], shape, 1, 0);
    const bright = brighten(pictures[1], 18);
    bright[100] ^= 8;
    const data = collect([moved, ...pictures.slice(2), moved, bright, pictures[1]], shape);
    // the shifted one comes first and is kept; what is brighter is a copy of the original, that one of it
    assert.deepEqual(await findGroups(engine, data), [[
      "0 kept",
      "11 exact",
      "12 near",
      "13 near",
    ]]);
    // of those that are not doubted the first is kept, and the others are compared with it
    const [group, ...rest] = await findDuplicates(engine, data, { doubted: [11, 0, 12] });
    assert.equal(rest.length, 0);
    assert.deepEqual(group.map(({ position, kind }) => [position, kind]), [
      [13, "kept"],
      [0, "near"],
      [11, "near"],
      [12, "near"],
    ]);
    assert.equal(group[1].similarity, group[2].similarity);
    assert.ok(Math.abs(group[3].similarity - correlate(bright, pictures[1])) < 1e-9);
    const [equal] = await findDuplicates(engine, data, { doubted: [0] });
    assert.deepEqual(equal.map(({ position, kind }) => `${position} ${kind}`), [
      "11 kept",
      "0 exact",
      "12 near",
      "13 near",
    ]);
    assert.deepEqual(
      await findDuplicates(engine, data, { doubted: [0, 11, 12, 13] }),
      await findDuplicates(engine, data),
    );
  },
);

for (const side of [8, 11, 14]) {
  testEngine(
    `digits averaged to ${side} x ${side} pixels are no copies, and neither is one picture with other noise`,
    async (engine) => {
      const digits = drawDigits("train", { size: 300, seed: 1001 });
      const small = Array.from(digits.labels, (_, n) => {
        const [sums, counts] = [new Float64Array(side * side), new Float64Array(side * side)];
        for (let i = 0; i < 784; i++) {
          const [y, x] = [Math.floor(i / 28), i % 28].map((at) => Math.floor(at * side / 28));
          sums[y * side + x] += digits.images[n * 784 + i];
          counts[y * side + x]++;
        }
        return Uint8Array.from(sums, (sum, i) => 16 * Math.round(sum / counts[i] / 16));
      });
      assert.ok((await findGroups(engine, collect(small, [side, side, 1]))).length <= 2);
      const noisy = Array.from({ length: 300 }, (_, n) => {
        const noise = drawNumbers(2000 + n, side * side);
        return Uint8Array.from(noise, (value, i) => 128 + 90 * Math.cos(i / 5) + 20 * value);
      });
      assert.deepEqual(await findGroups(engine, collect(noisy, [side, side, 1])), []);
    },
  );
}

testEngine("a shape in another colour and a mirrored picture are no copies", async (engine) => {
  const shape = [16, 16, 3] as const;
  const disc = (colour: readonly number[]) =>
    Uint8Array.from({ length: 768 }, (_, i) => {
      const [y, x] = [Math.floor(i / 48) - 7.5, Math.floor(i / 3) % 16 - 7.5];
      return x * x + y * y < 30 ? colour[i % 3] : 0;
    });
  const [picture] = drawPictures(3, 1, shape);
  const mirrored = picture.map((_, i) => {
    const [row, column] = [Math.floor(i / 48), Math.floor(i / 3) % 16];
    return picture[row * 48 + (15 - column) * 3 + i % 3];
  });
  const data = collect([disc([250, 0, 0]), disc([0, 250, 0]), picture, mirrored], shape);
  assert.deepEqual(await findGroups(engine, data), []);
});

testEngine(
  "a chain of look-alikes is cut where it has left the sample that is kept",
  async (engine) => {
    const shape = [16, 16, 1] as const;
    const [from, to] = drawPictures(4, 2, shape);
    const links = 24;
    const chain = Array.from(
      { length: links + 1 },
      (_, k) => from.map((level, i) => Math.round(level + (to[i] - level) * k / links)),
    );
    const others = drawPictures(1004, 50, shape);
    const groups = await findDuplicates(engine, collect([...chain, ...others], shape));
    const groupOf = (position: number) =>
      groups.findIndex((group) => group.some((copy) => copy.position === position));
    assert.ok(groups.length > 1, `${groups.length} groups`);
    assert.notEqual(groupOf(0), groupOf(links));
    const positions = groups.flatMap((group) => group.map((copy) => copy.position));
    assert.equal(new Set(positions).size, positions.length, "in two groups");
  },
);

testEngine(
  "10,000 equal pictures are one group, and so are they beside one that differs",
  async (engine) => {
    const shape = [8, 8, 1] as const;
    const [picture, other] = drawPictures(5, 2, shape);
    const equal = new Array<Uint8Array>(10_000).fill(picture);
    for (const pictures of [equal, [...equal, other]]) {
      const [group, ...rest] = await findDuplicates(engine, collect(pictures, shape));
      assert.equal(rest.length, 0);
      assert.equal(group.length, 10_000);
      assert.ok(group.every(({ position, similarity }, n) => position === n && similarity === 1));
    }
  },
);

testEngine(
  "pixels that are no finite numbers, and a signal in place of options, are refused",
  async (engine) => {
    const [picture, other] = drawPictures(7, 2, [8, 8, 1]);
    const data = collect([picture, other, picture], [8, 8, 1]);
    const images = Float32Array.from(data.images);
    images[70] = NaN;
    const broken = { ...data, images };
    await assert.rejects(
      () => findDuplicates(engine, broken),
      { name: "DataError", message: /got NaN in sample 1 .*need finite numbers/ },
    );
    const { signal } = new AbortController();
    await assert.rejects(
      () => findDuplicates(engine, data, signal as unknown as CallOptions),
      TypeError,
    );
  },
);

testEngine("one sample, two, and constant pictures", async (engine) => {
  const shape = [8, 8, 1] as const;
  const [picture, other] = drawPictures(6, 2, shape);
  const [black, dark, white] = [0, 3, 255].map((level) => new Uint8Array(64).fill(level));
  assert.deepEqual(await findGroups(engine, collect([picture], shape)), []);
  assert.deepEqual(await findGroups(engine, collect([picture, other], shape)), []);
  assert.deepEqual(await findGroups(engine, collect([picture, picture], shape)), [[
    "0 kept",
    "1 exact",
  ]]);
  assert.deepEqual(await findGroups(engine, collect([picture, brighten(picture, 9)], shape)), [
    ["0 kept", "1 near"],
  ]);
  assert.deepEqual(await findGroups(engine, collect([black, white, dark, black], shape)), [
    ["0 kept", "3 exact"],
  ]);
});

for (const size of [1, 2, 7, 30]) {
  testEngine(
    `of a table with ${size} columns equal rows and rows rounded to few digits are found`,
    async (engine) => {
      const count = 300;
      const numbers = drawNumbers(size, count * size).map((value, i) =>
        value * 10 ** (i % size % 5)
      );
      const row = (n: number) => numbers.slice(n * size, (n + 1) * size);
      const rounded = row(9).map((value) => Number(value.toPrecision(4)));
      const images = Float32Array.from([...numbers, ...row(5), ...(size > 2 ? rounded : [])]);
      const labels = new Int32Array(images.length / size);
      const shape = [1, 1, size] as const;
      const data = createDataset({
        name: "table",
        split: "train",
        images,
        labels,
        shape,
        classes: 1,
      });
      const near = size > 2 ? [["9 kept", "301 near"]] : [];
      assert.deepEqual(await findGroups(engine, data), [["5 kept", "300 exact"], ...near]);
    },
  );
}

testEngine("progress grows to its end, and a signal ends the search", async (engine) => {
  const data = takeSamples(
    drawDigits("train", { size: 40 }),
    Array.from({ length: 40 }, (_, n) => n),
  );
  const seen: number[] = [];
  await findDuplicates(engine, data, { onProgress: (done, total) => seen.push(done / total) });
  assert.deepEqual(seen.toSorted((a, b) => a - b), seen);
  assert.equal(seen.at(-1), 1);
  const stop = new AbortController();
  await assert.rejects(
    findDuplicates(engine, data, {
      signal: stop.signal,
      onProgress: () => stop.abort(new Error("stop")),
    }),
    /stop/,
  );
});

testEngine("doubted samples that are flags, or no samples, are refused", async (engine) => {
  const shape = [12, 12, 1] as const;
  const data = collect(drawPictures(3, 4, shape), shape);
  // flags of four samples would be samples 0 and 1
  const flags = Uint8Array.of(0, 1, 0, 1);
  await assert.rejects(findDuplicates(engine, data, { doubted: flags }), {
    name: "TypeError",
    message: /^Cannot find duplicates: got Uint8Array of flags, need indices;/,
  });
  for (const doubted of [[4], [-1], [0.5], [NaN]]) {
    await assert.rejects(findDuplicates(engine, data, { doubted }), {
      name: "RangeError",
      message:
        `Cannot find duplicates: got a doubted sample ${doubted}, need a position, an integer from 0 to 3`,
    });
  }
});
