/** Shapes of the drawn digits. @module */

/** A point, in hundredths of the digit's height from its centre, y downwards. */
export type Point = readonly [x: number, y: number];

/** Points joined by straight lines. */
export type Polyline = readonly Point[];

/** One way to write a digit, stroke by stroke. */
export type Glyph = readonly Polyline[];

const STEPS_PER_SPAN = 5;

/**
 * Knots of each stroke, by digit and way to write it; a stroke that ends where it begins is closed.
 */
// deno-fmt-ignore
const KNOTS: readonly (readonly Glyph[])[] = [
  [ // 0: an oval; a slim oval; one whose ends cross at the top
    [[[0, -50], [-24, -34], [-32, 0], [-24, 35], [0, 50], [24, 35], [32, 0], [24, -34], [0, -50]]],
    [[[0, -50], [-17, -34], [-22, 0], [-17, 35], [0, 50], [17, 35], [22, 0], [17, -34], [0, -50]]],
    [
      [
        [16, -49], [-12, -44], [-30, -10], [-26, 30], [-4, 50], [22, 36], [31, 0], [18, -36],
        [-6, -48],
      ],
    ],
  ],
  [ // 1: a stick; with a flag; with a flag and a foot
    [[[2, -50], [0, 50]]],
    [[[-20, -29], [4, -50]], [[4, -50], [2, 50]]],
    [[[-18, -32], [2, -50]], [[2, -50], [2, 50]], [[-22, 50], [26, 50]]],
  ],
  [ // 2: with a straight foot; with a loop; with a swung foot
    [
      [[-28, -28], [-17, -46], [5, -50], [24, -38], [22, -16], [6, 10], [-12, 31], [-30, 49]],
      [[-30, 49], [31, 48]],
    ],
    [
      [
        [-26, -32], [-12, -48], [10, -48], [22, -30], [16, -4], [-4, 26], [-22, 44], [-31, 36],
        [-20, 27], [0, 38], [16, 49], [32, 42],
      ],
    ],
    [
      [
        [-28, -26], [-14, -47], [8, -49], [24, -32], [18, -8], [-6, 24], [-26, 46], [-6, 42],
        [14, 49], [32, 43],
      ],
    ],
  ],
  [ // 3: two bows; with a flat top; with a loop in the middle
    [
      [[-26, -38], [-8, -50], [16, -45], [22, -27], [12, -9], [-8, -3]],
      [[-8, -3], [17, 3], [27, 23], [16, 44], [-8, 50], [-29, 38]],
    ],
    [
      [[-25, -48], [24, -48]],
      [[24, -48], [-4, -10]],
      [[-4, -10], [19, -5], [28, 18], [18, 42], [-6, 50], [-28, 40]],
    ],
    [
      [
        [-24, -40], [-6, -50], [16, -44], [19, -26], [4, -9], [-9, -3], [-6, 3], [8, -3], [23, 8],
        [25, 30], [10, 48], [-10, 49], [-28, 37],
      ],
    ],
  ],
  [ // 4: open; closed; open with a round bowl
    [[[-19, -46], [-28, 7]], [[-28, 7], [29, 5]], [[17, -44], [12, 50]]],
    [[[13, -50], [-31, 17]], [[-31, 17], [31, 16]], [[13, -50], [13, 50]]],
    [[[-23, -47], [-25, -14], [-10, -2], [19, -8]], [[22, -47], [19, -8], [13, 50]]],
  ],
  [ // 5: angular; in one swing
    [
      [[26, -48], [-17, -48]],
      [[-17, -48], [-22, -7]],
      [[-22, -7], [0, -15], [22, -5], [27, 20], [16, 43], [-6, 50], [-28, 40]],
    ],
    [
      [[28, -50], [4, -46], [-14, -45]],
      [[-14, -45], [-19, -14], [4, -9], [20, 6], [19, 32], [0, 49], [-24, 46]],
    ],
  ],
  [ // 6: a wide hook; a straight back and a small bowl
    [
      [
        [19, -48], [-4, -35], [-22, -6], [-26, 24], [-12, 47], [10, 48], [24, 29], [16, 8], [-4, 4],
        [-23, 21],
      ],
    ],
    [
      [
        [-4, -50], [-17, -20], [-22, 16], [-16, 42], [2, 50], [18, 38], [17, 19], [2, 11],
        [-16, 24],
      ],
    ],
  ],
  [ // 7: plain; with a bar; with a hook and a bent stem
    [[[-28, -47], [28, -48]], [[28, -48], [9, -6], [-8, 50]]],
    [[[-28, -47], [27, -48]], [[27, -48], [7, -2], [-9, 50]], [[-14, 1], [25, -2]]],
    [[[-29, -30], [-25, -47]], [[-25, -47], [27, -47]], [[27, -47], [5, -8], [0, 50]]],
  ],
  [ // 8: in one swing; of two rings
    [
      [
        [19, -39], [1, -50], [-18, -41], [-16, -20], [15, 6], [24, 28], [15, 46], [-2, 50],
        [-19, 44], [-24, 26], [-14, 6], [15, -19], [19, -39],
      ],
    ],
    [
      [[0, -50], [-17, -42], [-19, -24], [0, -6], [19, -24], [17, -42], [0, -50]],
      [[0, -6], [-21, 8], [-24, 32], [0, 50], [24, 32], [21, 8], [0, -6]],
    ],
  ],
  [ // 9: a ring with a stick; with a curled tail; in one swing
    [
      [[21, -27], [10, -47], [-10, -48], [-24, -30], [-21, -9], [-3, -1], [15, -10], [21, -27]],
      [[22, -44], [20, 4], [16, 50]],
    ],
    [
      [[21, -29], [8, -49], [-12, -46], [-24, -28], [-18, -8], [0, -3], [16, -13], [21, -29]],
      [[21, -29], [24, 8], [18, 38], [0, 50], [-21, 42]],
    ],
    [
      [
        [22, -42], [4, -50], [-18, -40], [-23, -18], [-8, -5], [12, -16], [23, -40], [19, 0],
        [8, 50],
      ],
    ],
  ],
];

/** The ways to write each digit: smooth curves through the knots, as polylines. */
export const GLYPHS: readonly (readonly Glyph[])[] = KNOTS.map((glyphs) =>
  glyphs.map((glyph) => glyph.map(traceStroke))
);

/** Traces a Catmull-Rom spline through the knots of a stroke, as a polyline. */
function traceStroke(knots: Polyline): Polyline {
  const last = knots.length - 1;
  const isClosed = knots[0].join() === knots[last].join();
  const before = knots[isClosed ? last - 1 : 0];
  const after = knots[isClosed ? 1 : last];
  const controls = [before, ...knots, after];
  const trace = [knots[0]];
  for (let span = 0; span < last; span++) {
    const around = controls.slice(span, span + 4);
    for (let step = 1; step <= STEPS_PER_SPAN; step++) {
      const t = step / STEPS_PER_SPAN;
      trace.push([interpolate(around, 0, t), interpolate(around, 1, t)]);
    }
  }
  return trace;
}

/**
 * Evaluates one coordinate of the Catmull-Rom cubic of four points: the second point at t = 0, the third at t = 1.
 */
function interpolate(around: Polyline, axis: 0 | 1, t: number): number {
  const [a, b, c, d] = around.map((point) => point[axis]);
  const cubic = 3 * (b - c) + d - a;
  const square = 2 * a - 5 * b + 4 * c - d;
  return b + t / 2 * (c - a + t * (square + t * cubic));
}
