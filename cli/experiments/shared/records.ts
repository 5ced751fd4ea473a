/**
 * Objects that hold a value for each of some names.
 *
 * @module
 */

/** An object with these keys, in this order, and a value for each. */
export function mapKeys<Key extends string, T>(
  keys: readonly Key[],
  of: (key: Key) => T,
): Record<Key, T> {
  return Object.fromEntries(keys.map((key) => [key, of(key)])) as Record<Key, T>;
}
