/**
 * Vectors on the host, made comparable.
 *
 * @module
 */

/** Subtracts each column's mean from it, and divides it by its standard deviation; columns that do not vary become 0. */
export function standardise(vectors: Float32Array, length: number): void {
  const count = vectors.length / length;
  for (let k = 0; k < length; k++) {
    let [sum, squares] = [0, 0];
    for (let n = 0; n < count; n++) sum += vectors[n * length + k];
    const mean = sum / count;
    for (let n = 0; n < count; n++) squares += (vectors[n * length + k] - mean) ** 2;
    const deviation = Math.sqrt(squares / count);
    for (let n = 0; n < count; n++) {
      const at = n * length + k;
      vectors[at] = deviation > 0 ? (vectors[at] - mean) / deviation : 0;
    }
  }
}

/** Scales a vector to length 1; one of zeros stays. */
export function scaleToOne(vector: Float32Array): void {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  if (length > 0) vector.forEach((value, k) => vector[k] = value / length);
}
