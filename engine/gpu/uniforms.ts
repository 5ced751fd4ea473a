/**
 * Values of uniforms, written by WGSL's layout.
 *
 * @module
 */
import { describeValue, findNearest } from "../options.ts";
import type { Field, Layout, Scalar } from "../wgsl/reflection.ts";

/**
 * The value of a uniform: a number; numbers of a vector, of a matrix column by column, or of an array of these, in order, nested or not; an
 * array of structs; or an object with every field of a struct.
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
    fits: () => true,
    need: "a number (f32)",
  },
  f16: {
    write: (view, at, value) => view.setFloat16(at, value, true),
    fits: () => true,
    need: "a number (f16)",
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
      const places = listPlaces(layout, at);
      const values = flatten(value);
      if (values?.length !== places.length) {
        const [{ layout: { kind } }] = places;
        return refuse(`${places.length} ${kind === "number" ? "numbers" : "objects"}`);
      }
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

/** Lists the places of the numbers or the structs of a list, in order. */
function listPlaces(
  layout: Layout,
  at: number,
): readonly { readonly at: number; readonly layout: Layout }[] {
  if (layout.kind !== "list") return [{ at, layout }];
  const { count = 0, strideBytes, element } = layout;
  return Array.from({ length: count }, (_, i) => listPlaces(element, at + i * strideBytes)).flat();
}

/** Flattens arrays within arrays; undefined of a value that is no array. */
function flatten(value: unknown): readonly unknown[] | undefined {
  if (ArrayBuffer.isView(value) && "length" in value) {
    return Array.from(value as unknown as ArrayLike<number>);
  }
  return Array.isArray(value) ? value.flatMap((entry) => flatten(entry) ?? [entry]) : undefined;
}
