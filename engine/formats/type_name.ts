/** Names of values' types, for errors. @module */

/** Returns the name of a value's class, or of its primitive type. */
export function describeType(value: unknown): string {
  return value === null || typeof value !== "object" ? typeof value : value.constructor.name;
}
