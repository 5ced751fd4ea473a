/** Types of values that errors name. @module */

/** What a value is, for an error: the name of its class, or its type. */
export function describeType(value: unknown): string {
  return value === null || typeof value !== "object" ? typeof value : value.constructor.name;
}
