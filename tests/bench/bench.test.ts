/** The benches as scripts call them. @module */
import assert from "node:assert/strict";
import { CASE_NAMES } from "../../bench/case_names.ts";
// imported to download what the benches alone need before a process that is watched begins
import "../../bench/main.ts";
import { finish, prepareLpntk, runLpntk } from "../cli/process.ts";

/** Fields of every line of the Gram bench, by type. */
const FIELDS = {
  case: "string",
  computed: "string",
  variant: "string",
  n: "number",
  k: "number",
  gflops: "number",
  ceiling: "number",
  share: "number",
  peers: "object",
  ratios: "object",
  adapter: "string",
  deno: "string",
  commit: "string",
  date: "string",
};

Deno.test("bench gram --json prints a line for each result, with the peers' speeds as ours are counted", async () => {
  const call = ["bench", "gram", "--quick", "--json"];
  const { code, stdout, stderr } = await finish(prepareLpntk(call, { timeoutMs: 180_000 }));
  assert.equal(code, 0, stderr);
  const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
  for (const line of lines) {
    for (const [name, type] of Object.entries(FIELDS)) assert.equal(typeof line[name], type, name);
  }
  const [gram] = lines.filter((line) => line.case === "gram");
  const { n, k, gflops, ms, peers, ratios, peers_ms } = gram;
  const isClose = (a: number, b: number) => Math.abs(a / b - 1) < 1e-2;
  assert(isClose(gflops, 2 * n * n * k / ms.median / 1e6));
  for (const name of ["tfjs", "jax-js", "naive"]) {
    assert(isClose(peers[name], 2 * n * n * k / peers_ms[name].median / 1e6), name);
    assert(isClose(ratios[name], gflops / peers[name]), name);
  }
});

Deno.test("bench with a case that there is not names those that there are, and exits with 2", async () => {
  const { code, stdout, stderr } = await runLpntk(["bench", "gramm"]);
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  for (const name of ["gramm", ...CASE_NAMES]) assert(stderr.includes(name), name);
});
