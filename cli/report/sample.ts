/**
 * Samples as a contact sheet shows them.
 *
 * @module
 */
import type { Dataset } from "../../mod.ts";
import type { SampleImage } from "./contact_sheet.ts";

/**
 * A sample's picture.
 *
 * @param caption what stands under it, its label and index when left out
 */
export function pictureSample(
  data: Dataset,
  sample: number,
  caption = `${data.labels[sample]} (#${sample})`,
): SampleImage {
  const [height, width, channels] = data.shape;
  const size = height * width * channels;
  const pixels = data.images.slice(sample * size, (sample + 1) * size);
  return { pixels, height, width, channels, caption };
}
