/** The convolution kernels, and the sums that go with them, against their float64 twins. @module */
import assert from "node:assert/strict";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { kernels } from "../../../shaders/kernel_table.ts";
import { splitInputGradient } from "../../../engine/operations/input_gradient_parts.ts";
import { inferConvolutionGeometry } from "../../../engine/operations/convolution_geometry.ts";
import {
  type ConvolutionSizes,
  groupChannels,
  planConvolutionLaunch,
  planFilterGradientLaunch,
} from "../../../engine/operations/convolution_launch.ts";
import {
  biasGradient,
  convFilterGradient,
  convForward,
  convInputGradient,
  packFilter,
  projectPlain,
  type Stride,
  sumGroups,
  sumProducts,
} from "../../../engine/reference/convolution.ts";
import { dotBound } from "../../../engine/reference/numbers.ts";
import { type Numbers, sizeOf } from "../../../engine/reference/tensor.ts";
import { assertOutput, drawNumbers, type Floats, launchTwice, testGpu } from "../gpu/open.ts";

/** A convolution of images `[N, H, W, I]` with a filter `[kh, kw, I / groups, O]`. */
interface Case extends Stride {
  readonly images: readonly [number, number, number, number];
  readonly filter: readonly [number, number, number, number];
}

/**
 * Sizes at, beside and between those of tiles (some neighbours of a row and columns of a filter by blocks of 8 channels) and of workgroups (64
 * tiles); channels that are multiples of four, which are read together, and others.
 */
const CASES: readonly Case[] = [
  { images: [1, 1, 1, 1], filter: [1, 1, 1, 1], stride: 1, pad: 0 },
  { images: [2, 5, 4, 1], filter: [3, 3, 1, 4], stride: 1, pad: 0 },
  { images: [1, 6, 5, 3], filter: [3, 3, 3, 7], stride: 1, pad: 1 },
  { images: [3, 5, 6, 4], filter: [3, 3, 4, 8], stride: 1, pad: 0 },
  { images: [2, 7, 5, 5], filter: [3, 3, 5, 9], stride: 1, pad: 1 },
  { images: [2, 11, 7, 3], filter: [5, 5, 3, 5], stride: 2, pad: 2 },
  { images: [2, 10, 13, 8], filter: [3, 3, 8, 3], stride: 3, pad: 1 },
  { images: [1, 8, 9, 9], filter: [1, 1, 9, 1], stride: 2, pad: 0 },
  { images: [2, 3, 4, 2], filter: [1, 1, 2, 4], stride: 1, pad: 2 },
  { images: [2, 13, 12, 1], filter: [2, 1, 1, 5], stride: 3, pad: 1 },
  { images: [1, 9, 6, 1], filter: [5, 3, 1, 3], stride: 1, pad: 1 },
  { images: [2, 8, 12, 3], filter: [3, 5, 3, 4], stride: 2, pad: 2 },
  { images: [2, 6, 7, 6], filter: [3, 3, 6, 6], stride: 1, pad: 1 },
  { images: [3, 5, 5, 14], filter: [3, 3, 14, 10], stride: 2, pad: 0 },
  { images: [63, 1, 1, 4], filter: [1, 1, 4, 4], stride: 1, pad: 0 },
  { images: [64, 1, 2, 1], filter: [1, 2, 1, 8], stride: 1, pad: 0 },
  { images: [65, 2, 1, 3], filter: [1, 1, 3, 4], stride: 2, pad: 0 },
  { images: [13, 12, 11, 2], filter: [3, 3, 2, 17], stride: 1, pad: 1 },
  // layers of residual networks: halving convolutions and projection shortcuts, of even and odd sizes
  { images: [2, 8, 9, 8], filter: [3, 3, 8, 16], stride: 2, pad: 1 },
  { images: [3, 9, 8, 5], filter: [1, 1, 5, 10], stride: 2, pad: 0 },
  // columns of a filter that an invocation takes one, two, three and four at a time
  { images: [2, 9, 17, 4], filter: [2, 7, 4, 12], stride: 1, pad: 3 },
  { images: [2, 6, 11, 8], filter: [3, 6, 8, 4], stride: 1, pad: 2 },
  { images: [1, 7, 19, 12], filter: [4, 4, 12, 5], stride: 2, pad: 1 },
  // strides so long that an invocation takes fewer neighbours, up to the longest, and more zeros than pixels
  { images: [1, 9, 8, 3], filter: [3, 3, 3, 4], stride: 16, pad: 60 },
  { images: [1, 9, 8, 3], filter: [3, 3, 3, 4], stride: 40, pad: 150 },
  { images: [2, 5, 6, 1], filter: [2, 2, 1, 3], stride: 256, pad: 1024 },
  // axes and sides apart: strides that do not divide, more zeros than the filter has taps, zeros on one side alone
  { images: [2, 11, 9, 3], filter: [3, 2, 3, 5], stride: [2, 3], pad: [1, 0] },
  { images: [3, 7, 10, 4], filter: [2, 5, 4, 8], stride: [3, 1], pad: [5, 2, 0, 7] },
  { images: [2, 6, 6, 5], filter: [1, 1, 5, 8], stride: 1, pad: [0, 1, 2, 0] },
  // dilation that is, has and has not a divisor in common with the stride, and taps beyond the image
  { images: [2, 9, 11, 4], filter: [3, 3, 4, 8], stride: 1, pad: 2, dilation: 2 },
  { images: [1, 13, 12, 2], filter: [3, 5, 2, 3], stride: [2, 4], pad: 3, dilation: [3, 2] },
  { images: [2, 12, 13, 3], filter: [2, 4, 3, 9], stride: [6, 2], pad: [0, 9], dilation: [4, 6] },
  { images: [1, 5, 4, 1], filter: [3, 3, 1, 2], stride: 2, pad: 9, dilation: 9 },
  // two and four groups, of channels that are multiples of four and eight, and others
  { images: [2, 6, 7, 6], filter: [3, 3, 3, 10], stride: 1, pad: 1, groups: 2 },
  { images: [3, 7, 6, 16], filter: [3, 3, 4, 32], stride: 2, pad: 1, groups: 4 },
  { images: [65, 2, 3, 12], filter: [1, 1, 3, 20], stride: 1, pad: 0, groups: 4 },
  { images: [2, 8, 5, 16], filter: [3, 2, 8, 16], stride: [1, 2], pad: 1, dilation: 2, groups: 2 },
  // depthwise, of channels that are a multiple of four and of others; with a multiplier; of one pixel
  { images: [3, 9, 11, 8], filter: [3, 3, 1, 8], stride: 1, pad: 1, groups: 8 },
  { images: [2, 7, 10, 36], filter: [3, 3, 1, 36], stride: 2, pad: [0, 1, 1, 0], groups: 36 },
  {
    images: [2, 9, 8, 4],
    filter: [5, 3, 1, 4],
    stride: [3, 2],
    pad: 4,
    dilation: [2, 3],
    groups: 4,
  },
  { images: [2, 6, 7, 5], filter: [3, 3, 1, 5], stride: 1, pad: 1, groups: 5 },
  { images: [2, 7, 6, 4], filter: [3, 3, 1, 12], stride: 2, pad: 1, groups: 4 },
  { images: [67, 1, 1, 12], filter: [3, 3, 1, 12], stride: 1, pad: 1, groups: 12 },
  { images: [5, 3, 2, 8], filter: [1, 1, 1, 8], stride: 1, pad: 0, groups: 8 },
];

function describe({ images, filter, ...place }: Case): string {
  return `images ${images.join("x")}, filter ${filter.join("x")}, ${JSON.stringify(place)}`;
}

function draw(seed: number, shape: readonly number[]): Numbers & { data: Floats } {
  return { shape, data: drawNumbers(seed, sizeOf(shape)) };
}

function absolute({ shape, data }: Numbers): Numbers {
  return { shape, data: Float64Array.from(data, Math.abs) };
}

function outputShape({ images, filter, ...place }: Case): readonly number[] {
  const [x, w] = [images, filter].map((shape) => ({
    shape,
    data: new Float64Array(sizeOf(shape)),
  }));
  return convForward({ x, w, ...place }).shape;
}

/** Computes the sizes that all three kernels take. */
function measure({ images, filter, ...place }: Case) {
  return { sample_count: images[0], ...inferConvolutionGeometry(images, filter, place) };
}

/** Launches `convolution`. */
function launchConvolution(gpu: Gpu, sizes: ConvolutionSizes, inputs: Floats, filters: Floats) {
  const { sample_count, out_height, out_width, out_channels } = sizes;
  const { kernel, params, workgroups } = planConvolutionLaunch(sizes);
  const unfilled = sample_count * out_height * out_width * out_channels;
  return launchTwice(
    gpu,
    kernel,
    params,
    { inputs, filters, outputs: { unfilled } },
    workgroups,
  );
}

function launchForward(gpu: Gpu, conv: Case, x: Floats, w: Numbers, b: Numbers | undefined) {
  const sizes = measure(conv);
  const { groups } = groupChannels(sizes);
  const isPacked = b !== undefined || sizes.out_channels / groups % 8 !== 0;
  const filters = Float32Array.from(isPacked ? packFilter({ w, b, groups }).data : w.data);
  return launchConvolution(
    gpu,
    {
      ...sizes,
      step_y: 1,
      step_x: 1,
      first_row: 0,
      first_column: 0,
      has_bias: isPacked ? 1 : 0,
    },
    x,
    filters,
  );
}

type InputGradientPart = ReturnType<typeof splitInputGradient>[number];

function launchInputGradient(
  gpu: Gpu,
  conv: Case,
  { filter: part, ...place }: InputGradientPart,
  dy: Floats,
  w: Numbers,
) {
  const { sample_count, ...sizes } = measure(conv);
  const { groups, isDepthwise } = groupChannels(sizes);
  const packed = packFilter({ w, rotated: true, transposed: !isDepthwise, part, groups });
  const filters = Float32Array.from(packed.data);
  const params = {
    sample_count,
    in_height: sizes.out_height,
    in_width: sizes.out_width,
    in_channels: sizes.out_channels,
    out_height: sizes.in_height,
    out_width: sizes.in_width,
    out_channels: sizes.in_channels,
    groups: sizes.groups,
    kernel_height: part.rows,
    kernel_width: part.columns,
    stride_y: 1,
    stride_x: 1,
    has_bias: 1,
    ...place,
  };
  return launchConvolution(gpu, params, dy, filters);
}

/** Placement of a group's elements: the parameters of filter_gradient by these names, and the length of its output. */
interface Placement {
  readonly group_samples: number;
  readonly first_group: number;
  readonly first: number;
  readonly end: number;
  readonly panel_stride: number;
  readonly group_stride: number;
  readonly element_stride: number;
  readonly offset: number;
  readonly length: number;
}

function launchFilterGradient(
  gpu: Gpu,
  conv: Case,
  x: Floats,
  dy: Floats,
  { length, ...placement }: Placement,
) {
  const sizes = measure(conv);
  const { kernel, params, workgroups } = planFilterGradientLaunch({
    ...sizes,
    ...placement,
    group_count: Math.ceil(sizes.sample_count / placement.group_samples),
  });
  return launchTwice(
    gpu,
    kernel,
    params,
    { inputs: x, deltas: dy, gradients: { unfilled: length } },
    workgroups,
  );
}

CASES.forEach((conv, seed) => {
  testGpu(`convolution agrees with its twin: ${describe(conv)}`, async (gpu) => {
    const { images, filter, ...place } = conv;
    const x = draw(seed, images);
    const w = draw(seed + 100, filter);
    const b = seed % 2 ? draw(seed + 200, [filter[3]]) : undefined;
    const { outputs } = await launchForward(gpu, conv, x.data, w, b);
    const y = convForward({ x, w, b, ...place });
    const magnitude = convForward({
      x: absolute(x),
      w: absolute(w),
      b: b && absolute(b),
      ...place,
    });
    const length = sizeOf(filter.slice(0, 3)) + 1;
    assertOutput(outputs, y.data, (i) => dotBound(length, magnitude.data[i]), "outputs");
  });

  testGpu(
    `convolution of deltas agrees with its twin, the gradient of the input: ${describe(conv)}`,
    async (gpu) => {
      const { images: inputShape, filter, ...place } = conv;
      const dy = draw(seed, outputShape(conv));
      const w = draw(seed + 100, filter);
      const dx = convInputGradient({ dy, w, inputShape, ...place });
      const magnitude = convInputGradient({
        dy: absolute(dy),
        w: absolute(w),
        inputShape,
        ...place,
      });
      const length = filter[0] * filter[1] * filter[3] + 1;
      const [, height, width, channels] = inputShape;
      const remaining = new Set(dx.data.keys());
      for (const part of splitInputGradient(measure(conv))) {
        const expected = dx.data.map((value, i) => {
          const row = Math.floor(i / channels / width) % height;
          const column = Math.floor(i / channels) % width;
          const isOwn = row % part.step_y === part.first_row &&
            column % part.step_x === part.first_column;
          return isOwn && remaining.delete(i) ? value : NaN;
        });
        const { outputs } = await launchInputGradient(gpu, conv, part, dy.data, w);
        assertOutput(outputs, expected, (i) => dotBound(length, magnitude.data[i]), "gradients");
      }
      assert.equal(remaining.size, 0, "numbers that no launch computes");
    },
  );

  testGpu(`filter_gradient packs rows as its twin does: ${describe(conv)}`, async (gpu) => {
    const { images, filter: filterShape, ...place } = conv;
    const x = draw(seed, images);
    const dy = draw(seed + 100, outputShape(conv));
    const bias = seed % 2 === 0;
    const project = (x: Numbers, dy: Numbers) =>
      projectPlain({ x, dy, filterShape, bias, ...place });
    const rows = project(x, dy);
    const magnitude = project(absolute(x), absolute(dy));
    const [count, size] = rows.shape;
    // a segment, or a slice of one, in the middle of longer rows, the first of which belong to an earlier batch
    const third = Math.floor(size / 3);
    const [first, end] =
      [[0, size], [third, size], [third, third + Math.ceil(size / 12)]][seed % 3];
    const offset = 3 - first;
    const rowLength = end - first + 5;
    const firstRow = [1, 63, 64, 61][seed % 4];
    const locate = (row: number, k: number) =>
      (Math.floor(row / 64) * rowLength + offset + k) * 64 + row % 64;
    const length = Math.ceil((firstRow + count) / 64) * 64 * rowLength;
    const expected = new Float64Array(length).fill(NaN);
    const bounds = new Float64Array(length);
    rows.data.forEach((value, index) => {
      const k = index % size;
      if (k < first || k >= end) return;
      const at = locate(firstRow + Math.floor(index / size), k);
      expected[at] = value;
      bounds[at] = dotBound(dy.shape[1] * dy.shape[2] + 1, magnitude.data[index]);
    });
    const { gradients } = await launchFilterGradient(gpu, conv, x.data, dy.data, {
      group_samples: 1,
      first_group: firstRow,
      first,
      end,
      panel_stride: 64 * rowLength,
      group_stride: 1,
      element_stride: 64,
      offset,
      length,
    });
    assertOutput(gradients, expected, (i) => bounds[i], "rows");
  });

  testGpu(`filter_gradient splits a batch as its twin does: ${describe(conv)}`, async (gpu) => {
    const { images, filter: filterShape, ...place } = conv;
    const x = draw(seed, images);
    const dy = draw(seed + 100, outputShape(conv));
    const [count] = images;
    const group_samples = count < 3 ? count : count < 60 ? 2 : 5; // the last group is ragged where count is odd
    const sum = (x: Numbers, dy: Numbers) =>
      Array.from({ length: Math.ceil(count / group_samples) }, (_, group) => {
        const part = (batch: Numbers): Numbers => {
          const from = group * group_samples;
          const samples = Math.min(group_samples, count - from);
          const size = sizeOf(batch.shape.slice(1));
          return {
            shape: [samples, ...batch.shape.slice(1)],
            data: Float64Array.from(batch.data).subarray(from * size, (from + samples) * size),
          };
        };
        const dw = convFilterGradient({ x: part(x), dy: part(dy), filterShape, ...place });
        return [...dw.data, ...biasGradient(part(dy)).data];
      });
    const sums = sum(x, dy);
    const magnitudes = sum(absolute(x), absolute(dy)).flat();
    const size = sums[0].length;
    const { gradients } = await launchFilterGradient(gpu, conv, x.data, dy.data, {
      group_samples,
      first_group: 0,
      first: 0,
      end: size,
      panel_stride: 64 * size,
      group_stride: size,
      element_stride: 1,
      offset: 0,
      length: sums.length * size,
    });
    const length = group_samples * dy.shape[1] * dy.shape[2] + 1;
    assertOutput(gradients, sums.flat(), (i) => dotBound(length, magnitudes[i]), "sums");
  });
});

for (const size of [1, 3]) {
  testGpu(
    `filter_gradient keeps its digits over 200 x 200 positions of a ${size} x ${size} filter`,
    async (gpu) => {
      const filter = [size, size, 1, 2] as const;
      const conv = { images: [1, 200, 200, 1], filter, stride: 1, pad: (size - 1) / 2 } as const;
      // a single sum of so many terms of one sign would be off by more than 1e-5 of it
      const x = absolute(draw(1, conv.images));
      const dy = { shape: outputShape(conv), data: new Float32Array(2 * 200 ** 2).fill(1 / 3) };
      const { filter: filterShape, stride, pad } = conv;
      const { data } = projectPlain({ x, dy, filterShape, stride, pad, bias: true });
      const { gradients } = await launchFilterGradient(
        gpu,
        conv,
        Float32Array.from(x.data),
        dy.data,
        {
          group_samples: 1,
          first_group: 0,
          first: 0,
          end: data.length,
          panel_stride: data.length,
          group_stride: data.length,
          element_stride: 1,
          offset: 0,
          length: data.length,
        },
      );
      assertOutput(gradients, Float64Array.from(data), (i) => 2e-6 * data[i], "gradients");
    },
  );
}

CASES.forEach(({ filter, groups = 1 }, seed) => {
  testGpu(`pack_filter agrees with its twin: ${filter.join("x")}, ${groups}`, async (gpu) => {
    const w = draw(seed, filter);
    const [kernel_height, kernel_width, filter_channels, out_channels] = filter;
    const whole = {
      rows: kernel_height,
      columns: kernel_width,
      row_step: 1,
      column_step: 1,
      first_row: 0,
      first_column: 0,
    };
    // the part of strides of two and three with the second row and the first column
    const part = {
      rows: Math.floor(kernel_height / 2),
      columns: Math.ceil(kernel_width / 3),
      row_step: 2,
      column_step: 3,
      first_row: 1,
      first_column: 0,
    };
    for (
      const [rotated, transposed, taken] of [
        [false, false, whole],
        [true, true, whole],
        [true, false, part],
        [true, true, part],
      ] as const
    ) {
      const b = seed % 2 ? draw(seed + 100, [out_channels]) : undefined;
      const expected = packFilter({ w, b, rotated, transposed, part: taken, groups });
      const { packed } = await launchTwice(
        gpu,
        kernels.pack_filter,
        {
          kernel_height,
          kernel_width,
          filter_channels,
          out_channels,
          groups,
          ...taken,
          has_bias: b && !rotated ? 1 : 0,
          rotated: rotated ? 1 : 0,
          transposed: transposed ? 1 : 0,
        },
        {
          filters: w.data,
          bias: b?.data ?? new Float32Array(out_channels).fill(NaN),
          packed: { unfilled: expected.data.length },
        },
        Math.ceil(expected.data.length / 8 / 64),
      );
      const label =
        `packed, rotated: ${rotated}, transposed: ${transposed}, step ${taken.row_step}`;
      assertOutput(packed, expected.data, () => 0, label);
    }
  });
});

for (
  const [groupCount, size, first, count] of [
    [1, 1, 0, 1],
    [3, 65, 1, 63],
    [13, 64, 0, 64],
    [2, 4099, 2, 4097],
    [1, 193, 0, 193],
  ]
) {
  testGpu(
    `sum_groups agrees with its twin: ${count} of ${groupCount} x ${size} numbers`,
    async (gpu) => {
      const groups = draw(groupCount, [groupCount, size]);
      const { sums } = await launchTwice(
        gpu,
        kernels.sum_groups,
        { group_count: groupCount, group_size: size, first, count },
        { groups: groups.data, sums: { unfilled: count } },
        Math.ceil(count / 64),
      );
      const magnitude = sumGroups(absolute(groups), first, count).data;
      const expected = sumGroups(groups, first, count).data;
      assertOutput(sums, expected, (i) => dotBound(groupCount, magnitude[i]), "sums");
    },
  );
}

for (const [samples, positions, channels] of [[1, 1, 1], [3, 5, 21], [2, 16, 32], [5, 49, 41]]) {
  testGpu(
    `sum_products agrees with its twin: ${samples} x ${positions} x ${channels} products`,
    async (gpu) => {
      const [left, right] = [1, 2].map((seed) => draw(seed, [samples, positions, channels]));
      const { sums } = await launchTwice(
        gpu,
        kernels.sum_products,
        { sample_count: samples, positions, channels },
        { left: left.data, right: right.data, sums: { unfilled: samples * channels } },
        Math.ceil(samples * channels / 64),
      );
      const magnitude = sumProducts(absolute(left), absolute(right)).data;
      const expected = sumProducts(left, right).data;
      assertOutput(sums, expected, (i) => dotBound(positions, magnitude[i]), "sums");
    },
  );
}

Deno.test("a convolution whose loops a driver would cut short is refused", () => {
  const attributes = { stride: 1, pad: 1 };
  inferConvolutionGeometry([1, 992, 512, 1], [3, 3, 1, 1], attributes);
  assert.throws(() => inferConvolutionGeometry([1, 993, 512, 1], [3, 3, 1, 1], attributes), {
    name: "LayerError",
    option: "pad",
    message:
      /got pad 1 on 993 x 512 pixels, .* loops of 65538 steps, need at most 65535; lower pad/,
  });
  assert.throws(() => inferConvolutionGeometry([1, 995, 514, 1], [3, 3, 1, 1], attributes), {
    name: "LayerError",
    option: "x",
    message: /got x of 995 x 514 pixels, .* steps, need at most 65535; raise stride or take small/,
  });
  assert.throws(() => inferConvolutionGeometry([1, 8, 8, 1], [7, 7, 1, 2 ** 19], attributes), {
    name: "LayerError",
    option: "filters",
    message: /got filters 524288 of size 7, .* steps, need at most 65535; lower filters or size$/,
  });
  const dense = (channels: number) =>
    inferConvolutionGeometry([1, 1, 1, channels], [1, 1, channels, 1], { stride: 1, pad: 0 });
  dense(4 * 65_535);
  assert.throws(() => dense(4 * 65_536), { name: "LayerError", message: /65536 steps/ });
});

Deno.test("whatever the stride, what is written out of a convolution stays short", () => {
  for (const stride of [1, 15, 16, 17, 40, 256]) {
    const sizes = measure({
      images: [1, 9, 8, 3],
      filter: [3, 3, 3, 4],
      stride,
      pad: Math.min(1024, 40 * stride),
    });
    const launches = [
      planConvolutionLaunch({
        ...sizes,
        step_y: 1,
        step_x: 1,
        first_row: 0,
        first_column: 0,
        has_bias: 1,
      }),
      planFilterGradientLaunch({
        ...sizes,
        group_count: 1,
        group_samples: 1,
        first_group: 0,
        first: 0,
        end: 112,
        panel_stride: 1,
        group_stride: 1,
        element_stride: 1,
        offset: 0,
      }),
    ];
    for (const { kernel } of launches) {
      const code = kernel.expand({ panels: "buffer", operands: "buffer", subgroups: false });
      const window = new Set(code.match(/\bwindow_\d+/g)).size;
      assert.ok(window > 0 && window <= 128, `stride ${stride}: ${window} columns at once`);
    }
  }
});
