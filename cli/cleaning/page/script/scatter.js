// @ts-check
/**
 * The scatter of difficulty against redundancy, on a canvas, with the sample that is pointed at.
 *
 * @module
 */
import {
  facts,
  findContent,
  formatNumber,
  make,
  makeClassName,
  makePicture,
  makeSampleName,
} from "./elements.js";

/** Height of the canvas, its margins, and how near a point has to be to be pointed at, in CSS pixels. */
const HEIGHT = 460;
const MARGIN = { left: 56, right: 16, top: 16, bottom: 44 };
const REACH = 14;

/** Most that the ends of an axis are apart, as a factor: what is less is drawn at the lower end. */
const WIDEST = 1e6;

/** Share of the values that may lie below an axis. */
const OUT_OF_SCALE = 0.005;

/** Groups of points, the later ones drawn over the earlier: class in the style sheet, sign of the legend, and shape. */
const GROUPS = [
  { name: "no fault found", color: "point", sign: "▪", shape: drawDot },
  { name: "copy", color: "copy", sign: "■", shape: drawSquare },
  { name: "outlier", color: "outlier", sign: "▲", shape: drawTriangle },
  { name: "suspect label", color: "suspect", sign: "◆", shape: drawDiamond },
];

/** @typedef {(context: CanvasRenderingContext2D, x: number, y: number) => void} Shape */

/** @type {Shape} */
function drawDot(context, x, y) {
  context.rect(x - 1.5, y - 1.5, 3, 3);
}

/** @type {Shape} */
function drawSquare(context, x, y) {
  context.rect(x - 3, y - 3, 6, 6);
}

/** @type {Shape} */
function drawTriangle(context, x, y) {
  context.moveTo(x, y - 5);
  context.lineTo(x + 5, y + 4);
  context.lineTo(x - 5, y + 4);
  context.closePath();
}

/** @type {Shape} */
function drawDiamond(context, x, y) {
  context.moveTo(x, y - 5);
  context.lineTo(x + 5, y);
  context.lineTo(x, y + 5);
  context.lineTo(x - 5, y);
  context.closePath();
}

/** @param {string} base64 @returns {Float32Array} */
function decodeFloats(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, n) => view.getFloat32(4 * n, true));
}

/** An axis: where values stand in 0..1, and its ticks; logarithmic if values differ tenfold. @param {Float32Array} values */
function makeAxis(values) {
  const sorted = values.filter((value) => value > 0 && value < Infinity).sort();
  // a few values far below the others are drawn at the lower end
  const least = sorted[Math.floor(sorted.length * OUT_OF_SCALE)] ?? 1;
  const most = sorted.at(-1) ?? 1;
  const isLogarithmic = most > 10 * least;
  const scale = isLogarithmic ? Math.log10 : (/** @type {number} */ value) => value;
  const [start, end] = [scale(Math.max(least, most / WIDEST)), scale(most)];
  const padding = (end - start || Math.abs(end) || 1) / 25;
  const [low, high] = [start - padding, end + padding];
  /** @param {number} value */
  const place = (value) =>
    Math.min(1, Math.max(0, ((value > 0 ? scale(value) : low) - low) / (high - low)));
  const ticks = isLogarithmic ? listPowers(low, high) : listSteps(low, high);
  return { place, ticks };
}

/** Lists powers of ten, and their threefold where there would be few. @param {number} low @param {number} high their logarithms */
function listPowers(low, high) {
  const powers = Array.from({ length: 80 }, (_, n) => n - 40);
  return powers.flatMap((power) =>
    (high - low > 2 ? [1] : [1, 3]).map((step) => Number(`${step}e${power}`))
  )
    .filter((tick) => Math.log10(tick) >= low && Math.log10(tick) <= high);
}

/** Lists some round numbers. @param {number} low @param {number} high */
function listSteps(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (rough > 5 * power ? 10 : rough > 2 * power ? 5 : 2);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, n) => (first + n) * step);
}

/** Draws the scatter, and again whenever its width or the colours change. */
export function drawScatter() {
  const { step } = facts.points;
  const difficulty = decodeFloats(facts.points.difficulty);
  const redundancy = decodeFloats(facts.points.redundancy);
  const groups = classifyPoints(step, difficulty.length);
  const [x, y] = [makeAxis(redundancy), makeAxis(difficulty)];
  const canvas = make("canvas", {
    role: "img",
    "aria-label": "Scatter of difficulty against redundancy of all samples",
  });
  const tip = make("div", { className: "tip", hidden: true });
  const content = findContent("scatter");
  if (step > 1) {
    content.append(make("p", { className: "note" }, `Every ${step}th sample is drawn.`));
  }
  const signs = GROUPS.map(({ color, sign }) => make("span", { className: color }, sign));
  const legend = GROUPS.map(({ name }, group) => make("li", {}, signs[group], ` ${name}`));
  const frame = make("div", { className: "scatter" }, canvas, tip);
  content.append(make("ul", { className: "legend" }, ...legend), frame);

  /** @type {(n: number) => [number, number]} */
  const placePoint = (n) => {
    const { left, right, top, bottom } = MARGIN;
    return [
      left + x.place(redundancy[n]) * (canvas.clientWidth - left - right),
      HEIGHT - bottom - y.place(difficulty[n]) * (HEIGHT - top - bottom),
    ];
  };
  /** @param {number} n */
  const isDrawn = (n) => !Number.isNaN(difficulty[n]) && !Number.isNaN(redundancy[n]);
  const draw = () => {
    const context = prepareCanvas(canvas);
    drawAxes(context, canvas.clientWidth, x, y);
    GROUPS.forEach(({ shape }, group) => {
      context.fillStyle = getComputedStyle(signs[group]).color;
      context.beginPath();
      for (const [n, own] of groups.entries()) {
        if (own === group && isDrawn(n)) shape(context, ...placePoint(n));
      }
      context.fill();
    });
  };
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").onchange = draw;

  /** @param {PointerEvent} event */
  const point = ({ offsetX, offsetY }) => {
    let [nearest, least] = [-1, REACH];
    for (let n = 0; n < difficulty.length; n++) {
      if (!isDrawn(n)) continue;
      const [left, top] = placePoint(n);
      const distance = Math.hypot(left - offsetX, top - offsetY);
      if (distance < least) [nearest, least] = [n, distance];
    }
    tip.hidden = nearest < 0;
    if (nearest < 0) return;
    const position = nearest * step;
    const numbers = `difficulty ${formatNumber(difficulty[nearest])} nats · ratio ${
      formatNumber(redundancy[nearest])
    }`;
    tip.replaceChildren(
      makePicture(position),
      make(
        "div",
        {},
        make("p", {}, makeClassName(facts.labels[position])),
        makeSampleName(position),
        make("p", { className: "numbers" }, `${numbers} · ${GROUPS[groups[nearest]].name}`),
      ),
    );
    const [left, top] = placePoint(nearest);
    tip.style.left = `${Math.max(0, Math.min(left + 12, canvas.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${top > HEIGHT / 2 ? top - tip.offsetHeight - 12 : top + 12}px`;
  };
  canvas.onpointermove = point;
  canvas.onpointerdown = point;
  canvas.onpointerleave = () => tip.hidden = true;
}

/** Finds each point's group. @param {number} step @param {number} count */
function classifyPoints(step, count) {
  const groups = new Uint8Array(count);
  const lists = [
    facts.groups.flat(),
    facts.outliers,
    facts.suspects,
  ];
  lists.forEach((list, n) => {
    for (const { position } of list) if (position % step === 0) groups[position / step] = n + 1;
  });
  return groups;
}

/** Fits the canvas to its width and to the pixels of the screen, and empties it. @param {HTMLCanvasElement} canvas */
function prepareCanvas(canvas) {
  const scale = devicePixelRatio;
  canvas.width = canvas.clientWidth * scale;
  canvas.height = HEIGHT * scale;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(scale, scale);
  context.font = "13px system-ui, sans-serif";
  return context;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {ReturnType<typeof makeAxis>} x
 * @param {ReturnType<typeof makeAxis>} y
 */
function drawAxes(context, width, x, y) {
  const { left, right, top, bottom } = MARGIN;
  const [innerWidth, innerHeight] = [width - left - right, HEIGHT - top - bottom];
  const { color, borderTopColor } = getComputedStyle(context.canvas);
  context.strokeStyle = borderTopColor;
  context.fillStyle = color;
  context.lineWidth = 1;
  context.textAlign = "center";
  for (const tick of x.ticks) {
    const at = left + x.place(tick) * innerWidth;
    context.strokeRect(at, top, 0, innerHeight);
    context.fillText(formatNumber(tick), at, HEIGHT - bottom + 18);
  }
  context.fillText(
    "redundancy: largest ratio κ(x, x′) / κ(x, x)",
    left + innerWidth / 2,
    HEIGHT - 6,
  );
  context.textAlign = "right";
  for (const tick of y.ticks) {
    const at = HEIGHT - bottom - y.place(tick) * innerHeight;
    context.strokeRect(left, at, innerWidth, 0);
    context.fillText(formatNumber(tick), left - 6, at + 4);
  }
  context.save();
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText("difficulty: loss summed over training (nats)", -(top + innerHeight / 2), 12);
  context.restore();
}
