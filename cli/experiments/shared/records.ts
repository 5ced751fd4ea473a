/**
 * Objects that hold a value for each of some names.
 *
 * @module
 */

/** The keys of an object, in their order. */
export function listKeys<Key extends string>(record: Readonly<Record<Key, unknown>>): Key[] {
  return Object.keys(record) as Key[];
}

/** An object with these keys, in this order, and a value for each. */
export function mapKeys<Key extends string, T>(
  keys: readonly Key[],
  of: (key: Key) => T,
): Record<Key, T> {
  return Object.fromEntries(keys.map((key) => [key, of(key)])) as Record<Key, T>;
}
