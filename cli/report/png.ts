/**
 * Rendering of SVG figures as PNG, with a font that comes along: headless machines often have none.
 *
 * @module
 */
import { initWasm, Resvg } from "npm:@resvg/resvg-wasm@2.6.2";
// imported to bring the package onto the disk, where its font is read
import "npm:dejavu-fonts-ttf@2.37.3/package.json" with { type: "json" };

/** Pixels of the PNG for one unit of the SVG: two are sharp on screens of high density. */
const ZOOM = 2;

/** Files of the packages, which they do not export as modules. */
const WASM = "npm:@resvg/resvg-wasm@2.6.2/index_bg.wasm";
const FONTS = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((file) =>
  `npm:dejavu-fonts-ttf@2.37.3/ttf/${file}`
);
const FAMILY = "DejaVu Sans";

let fonts: Promise<Uint8Array[]> | undefined;

/** Renders an SVG at twice its size on white, its text in DejaVu Sans. */
export async function renderPng(svg: string): Promise<Uint8Array> {
  fonts ??= start();
  const resvg = new Resvg(svg, {
    background: "white",
    fitTo: { mode: "zoom", value: ZOOM },
    font: {
      fontBuffers: await fonts,
      loadSystemFonts: false,
      defaultFontFamily: FAMILY,
      sansSerifFamily: FAMILY,
    },
  });
  try {
    return resvg.render().asPng();
  } finally {
    resvg.free();
  }
}

async function start(): Promise<Uint8Array[]> {
  await initWasm(await readPackaged(WASM));
  return await Promise.all(FONTS.map(readPackaged));
}

function readPackaged(specifier: string): Promise<Uint8Array<ArrayBuffer>> {
  return Deno.readFile(new URL(import.meta.resolve(specifier)));
}
