/**
 * Values of uniforms, written by WGSL's layout.
 *
 * @module
 */
import { describeValue, findNearest } from "../options.ts";
import type { Field, Layout, Scalar } from "../wgsl/reflection.ts";

/**
 * The value of a uniform: a number; numbers of a vector, of a matrix column by column, or of an array of these, in order, all in one list or
 * nested as they are declared; an array of structs; or an object with every field of a struct. Infinities and NaN are numbers.
 */
export type UniformValue =
  | number
  | ArrayLike<number>
  | readonly UniformValue[]
  | { readonly [field: string]: UniformValue };

/** Functions that write numbers, and ranges that they fit, by their type. */
const SCALARS: Readonly<
  Record<Scalar, {
    readonly write: (view: DataView, at: number, value: number) => void;
    readonly fits: (value: number) => boolean;
    readonly need: string;
  }>
> = {
  u32: {
    write: (view, at, value) => view.setUint32(at, value, true),
    fits: (value) => value === value >>> 0,
    need: "an integer from 0 to 4294967295 (u32)",
  },
  i32: {
    write: (view, at, value) => view.setInt32(at, value, true),
    fits: (value) => value === (value | 0),
    need: "an integer from -2147483648 to 2147483647 (i32)",
  },
  f32: {
    write: (view, at, value) => view.setFloat32(at, value, true),
    fits: (value) => !Number.isFinite(value) || Number.isFinite(Math.fround(value)),
    need: "a number from -3.4028235e38 to 3.4028235e38 (f32)",
  },
  f16: {
    write: (view, at, value) => view.setFloat16(at, value, true),
    fits: (value) => !Number.isFinite(value) || Number.isFinite(Math.f16round(value)),
    need: "a number from -65504 to 65504 (f16)",
  },
};

/**
 * Writes a value.
 *
 * @param path of the value, as in `params.offset`, for the message
 * @throws {TypeError} if it does not have the shape of the layout, `RangeError` if a number does not fit its type; the message names it.
 */
export function writeUniform(
  view: DataView,
  at: number,
  layout: Layout,
  value: unknown,
  path: string,
): void {
  const refuse = (need: string): never => {
    throw new TypeError(`got ${path} ${describeValue(value)}, need ${need}`);
  };
  switch (layout.kind) {
    case "number": {
      const { write, fits, need } = SCALARS[layout.scalar];
      if (typeof value !== "number") return refuse(need);
      if (!fits(value)) throw new RangeError(`got ${path} ${value}, need ${need}`);
      return write(view, at, value);
    }
    case "struct": {
      const names = layout.fields.map(({ name }) => name).join(", ");
      if (typeof value !== "object" || value === null) return refuse(`an object with ${names}`);
      refuseUnknown(value, layout.fields, path, names);
      for (const { name, offsetBytes, layout: inner } of layout.fields) {
        if (!Object.hasOwn(value, name)) {
          throw new TypeError(`got no ${path}.${name}, need all of ${names}`);
        }
        const field = (value as Record<string, unknown>)[name];
        writeUniform(view, at + offsetBytes, inner, field, `${path}.${name}`);
      }
      return;
    }
    case "list": {
      const values = isList(value) ? Array.from(value) : undefined;
      const places = values?.some(isList) ? listElements(layout, at) : listPlaces(layout, at);
      if (values?.length !== places.length) return refuse(describeList(layout));
      places.forEach((place, i) =>
        writeUniform(view, place.at, place.layout, values[i], `${path}[${i}]`)
      );
    }
  }
}

function refuseUnknown(
  value: object,
  fields: readonly Field[],
  path: string,
  names: string,
): void {
  const unknown = Object.keys(value).find((key) => !fields.some(({ name }) => name === key));
  if (unknown === undefined) return;
  const nearest = findNearest(unknown, fields.map(({ name }) => name));
  throw new TypeError(
    `got an unknown ${path}.${unknown}, need ${names}${
      nearest ? `; did you mean ${nearest}?` : ""
    }`,
  );
}

/** A layout, and the offset where a value of it is written. */
interface Place {
  readonly at: number;
  readonly layout: Layout;
}

type List = Extract<Layout, { kind: "list" }>;

/** Lists the places of a list's own elements, in order. */
function listElements({ count = 0, strideBytes, element }: List, at: number): Place[] {
  return Array.from({ length: count }, (_, i) => ({ at: at + i * strideBytes, layout: element }));
}

/** Lists the places of the numbers or the structs in a list, and in the lists within it, in order. */
function listPlaces(list: List, at: number): Place[] {
  return listElements(list, at).flatMap((place) =>
    place.layout.kind === "list" ? listPlaces(place.layout, place.at) : [place]
  );
}

/** Describes the values of a list: `6 numbers, in one list or nested as 2 x 3`. */
function describeList(list: List): string {
  const counts: number[] = [];
  let layout: Layout = list;
  for (; layout.kind === "list"; layout = layout.element) counts.push(layout.count ?? 0);
  const need = `${counts.reduce((product, count) => product * count)} ${
    layout.kind === "number" ? "numbers" : "objects"
  }`;
  return counts.length === 1 ? need : `${need}, in one list or nested as ${counts.join(" x ")}`;
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);
}
