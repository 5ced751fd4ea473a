/** The documents: their links lead somewhere, and the front page is short. @module */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

/** Lists the documents by their paths from the root. */
async function listDocuments(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ["", "docs/", "bench/"]) {
    for await (const { name } of Deno.readDir(new URL(folder, ROOT))) {
      if (name.endsWith(".md")) found.push(folder + name);
    }
  }
  return found;
}

/** Lists the anchors of a document's headings, as GitHub makes them. */
function listAnchors(text: string): string[] {
  const withoutCode = text.replace(/^```.*?^```$/gms, "");
  return [...withoutCode.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test("every link of a document leads to a file, and to a heading where it names one", async () => {
  const documents = await listDocuments();
  assert.ok(documents.includes("README.md") && documents.includes("docs/commands.md"));
  const broken: string[] = [];
  for (const document of documents) {
    const base = new URL(document, ROOT);
    const text = await Deno.readTextFile(base);
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const target = new URL(link, base);
      if (target.protocol !== "file:") continue;
      const anchor = target.hash.slice(1);
      target.hash = "";
      const found = await Deno.readTextFile(target).catch(() => undefined);
      if (found === undefined || (anchor && !listAnchors(found).includes(anchor))) {
        broken.push(`${document}: ${link}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

Deno.test("the front page is read in ten minutes: at most 1,500 words", async () => {
  const text = await Deno.readTextFile(new URL("README.md", ROOT));
  assert.ok(text.split(/\s+/).length <= 1_500);
});
