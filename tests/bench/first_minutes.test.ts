/** The first minutes on an adapter: they run, and print numbers. @module */
import assert from "node:assert/strict";
import { expectSuccess, prepareDeno, ROOT } from "../cli/process.ts";

Deno.test("the first minutes at sizes of a few rows print what each stage reaches, the most decisive first", async () => {
  const args = ["run", "-A", `${ROOT}/bench/first_minutes.ts`, "--tiny"];
  const printed = await expectSuccess(prepareDeno(args, { timeoutMs: 240_000 }));
  const lines: Record<string, unknown>[] = printed.trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  const steps = lines.map(({ step }) => step);
  assert.deepEqual([...new Set(steps)], [
    "adapter",
    "overheads",
    "gram",
    "fpc_assign",
    "read",
    "tune",
    "train",
    "project",
    "redundant",
    "relate",
    "nearest",
    "cluster",
  ]);
  const measured = lines.flatMap((line) =>
    Object.entries(line).flatMap(([name, value]) =>
      /(^|_)(ms|us|s|per_s)$|^tflops$/.test(name) ? [{ ...line, name, value }] : []
    )
  );
  assert.ok(measured.length >= 20);
  for (const line of measured) {
    const { value } = line;
    assert.ok(typeof value === "number" && value > 0 && value < Infinity, JSON.stringify(line));
  }
  assert.deepEqual(lines.filter((line) => "error" in line), []);
});
