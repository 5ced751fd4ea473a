/** Mutations of files: ways in which a file goes wrong, or is made to. @module */
import fc from "fast-check";

/** Function that changes the bytes of a file. */
type Mutation = (bytes: Uint8Array) => Uint8Array<ArrayBuffer>;

/** Replacements of a length, size or number in a text. */
const NUMBERS = ["0", "-1", "2147483648", "9007199254740993", "1e15", "1e999", "0.5", "", "NaN"];

/** Replacements of a binary field. */
const FIELDS = [0n, -1n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n];

/** Words that mean something in a header, and their replacements. */
const WORDS = [
  ...["<f4", "<f8", "<f2", ">f4", "|O", "|b1", "|u1", "<i8", "<i4"],
  ...["F32", "F64", "F16", "BF16", "I64", "U8"],
  ...["True", "False", "true", "false", "null", "upper", "full"],
  ...["descr", "shape", "fortran_order", "dtype", "data_offsets", "chunk_shape", "symmetric"],
  ...[
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ",",
    ":",
    '"',
    "'",
    "=",
    "\n",
    "\u001b[2J",
    "\u2028",
    "__proto__",
  ],
];

/** Chooses where a file is changed: mostly in its first bytes, where the header is, or at its end. */
function chooseIndex(length: number, at: number): number {
  const kind = at % 4;
  const rest = Math.floor(at / 4);
  if (kind < 2) return rest % Math.min(256, length + 1);
  return kind === 2 ? rest % (length + 1) : length - rest % Math.min(16, length + 1);
}

function splice(bytes: Uint8Array, from: number, count: number, put: Uint8Array) {
  const after = bytes.subarray(Math.min(bytes.length, from + count));
  const spliced = new Uint8Array(from + put.length + after.length);
  spliced.set(bytes.subarray(0, from));
  spliced.set(put, from);
  spliced.set(after, from + put.length);
  return spliced;
}

const toBytes = (text: string) => new TextEncoder().encode(text);

/** Decodes bytes as letters of one byte each, so that indices are the same. */
const toLetters = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

/** Replaces one of the matches by a text. */
function replaceMatch(pattern: RegExp, which: number, text: string): Mutation {
  return (bytes) => {
    const matches = [...toLetters(bytes.subarray(0, 4096)).matchAll(pattern)];
    if (matches.length === 0) return Uint8Array.from(bytes);
    const match = matches[which % matches.length];
    return splice(bytes, match.index, match[0].length, toBytes(text));
  };
}

const KNOWN_WORDS = RegExp(WORDS.map((word) => RegExp.escape(word)).join("|"), "g");
const at = fc.nat();

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  at.map((at): Mutation => (bytes) =>
    Uint8Array.from(bytes.subarray(0, chooseIndex(bytes.length, at)))
  ),
  fc.tuple(at, fc.nat(7)).map(([at, bit]): Mutation => (bytes) => {
    const changed = Uint8Array.from(bytes);
    changed[Math.min(changed.length - 1, chooseIndex(bytes.length, at))] ^= 1 << bit;
    return changed;
  }),
  fc.tuple(at, fc.constantFrom(...FIELDS), fc.constantFrom(1, 2, 4, 8), fc.boolean()).map(
    ([at, value, width, isLittle]): Mutation => (bytes) => {
      const field = new Uint8Array(8);
      new DataView(field.buffer).setBigInt64(0, value, isLittle);
      const part = isLittle ? field.subarray(0, width) : field.subarray(8 - width);
      return splice(bytes, chooseIndex(bytes.length, at), width, part);
    },
  ),
  fc.tuple(at, fc.uint8Array({ minLength: 1, maxLength: 9 })).map(
    ([at, put]): Mutation => (bytes) => splice(bytes, chooseIndex(bytes.length, at), 0, put),
  ),
  // repeats a piece: keys, tensors, headers
  fc.tuple(at, fc.nat(80)).map(([at, count]): Mutation => (bytes) => {
    const from = chooseIndex(bytes.length, at);
    return splice(bytes, from, 0, bytes.subarray(from, from + count));
  }),
  fc.tuple(fc.nat(99), fc.constantFrom(...NUMBERS)).map(([which, number]) =>
    replaceMatch(/\d+/g, which, number)
  ),
  fc.tuple(fc.nat(99), fc.constantFrom(...WORDS)).map(([which, word]) =>
    replaceMatch(KNOWN_WORDS, which, word)
  ),
);

/** Up to three changes of a file, one after another. */
export const mutations: fc.Arbitrary<Mutation> = fc.array(mutation, { minLength: 1, maxLength: 3 })
  .map((changes) => (bytes) =>
    changes.reduce((changed, change) => change(changed), Uint8Array.from(bytes))
  );
