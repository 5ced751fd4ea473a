/** The help of the command line: the commands and their options, as they are promised to scripts. @module */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { type Help, readHelp, writePage } from "./help.ts";
import { expectSuccess, prepareDeno, ROOT, runLpntk, succeed } from "./process.ts";

/** All commands with their arguments and options. */
const SYNOPSIS = `
lpntk --version --debug --require-gpu --quiet --help
doctor --retune --json --help
data --help
data fetch <name> --mirror --help
data import <data> --size --strict --out --help
model <model> --data --size --shape --classes --parameters --json --help
plan --model --weights --layers --parameters --samples --others --shape --classes --ratio --per-class --memory --sketch --json --help
train --model --data --size --strict --train-size --test-size --validation-size --sample-seed --first --seed --epochs --lr --momentum --weight-decay --batch --schedule --augment --out --json --help
gram --model --weights --data --size --strict --kind --layers --parameters --split --train-size --test-size --sample-seed --first --cross --full --repair --force --memory --sketch --out --json --help
redundant --model --weights --data --size --strict --kind --layers --parameters --split --train-size --test-size --sample-seed --first --kernel --memory --sketch --rule --out --json --help
relate --model --weights --data --size --strict --kind --layers --parameters --split --train-size --test-size --sample-seed --first --kernel --memory --sketch --threshold --epsilon --sample --out --json --help
clean --data --size --strict --model --weights --train-size --sample-seed --first --memory --seed --verify --apply --out --json --help
cluster --model --weights --data --size --strict --kind --layers --parameters --split --train-size --test-size --sample-seed --first --kernel --memory --sketch --labels --ratio --per-class --out --json --help
nearest --model --weights --data --size --strict --kind --layers --parameters --split --train-size --test-size --sample-seed --first --kernel --memory --sketch --labels --k --out --json --help
neighbours --model --weights --data --size --strict --kind --layers --parameters --train-size --sample-seed --first --test --top --memory --sketch --out --json --help
prune --model --weights --data --size --strict --kind --layers --parameters --split --train-size --test-size --sample-seed --first --kernel --memory --sketch --method --labels --share --ratio --per-class --seed --out --json --help
compare --model --data --size --strict --train-size --test-size --sample-seed --first --arm --seeds --epochs --lr --momentum --weight-decay --batch --schedule --augment --out --json --help
run --model --data --size --strict --train-size --test-size --sample-seed --first --ratio --share --seeds --memory --sketch --seed --epochs --lr --momentum --weight-decay --batch --schedule --augment --out --json --help
experiment --help
experiment list --help
experiment difficulty --config --quick --paper --data --out --json --model --help
experiment forgetting --config --quick --paper --data --out --json --model --help
experiment clusters --config --quick --paper --data --out --json --model --help
experiment redundancy --config --quick --paper --data --out --json --model --help
experiment debias --config --quick --paper --data --out --json --model --help
experiment poison --config --quick --paper --data --out --json --model --help
experiment theorem1 --config --quick --paper --data --out --json --help
experiment extreme --config --quick --paper --data --out --json --model --help
experiment control --config --quick --paper --data --out --json --model --help
experiment noise --config --quick --paper --data --out --json --model --help
bench --quick --report --minutes --force --baseline --fail-below --json --help
bench kernel <file> --dispatch --buffer --uniform --entry-point --flops --bytes --seed --quick --json --help
`.trim();

/** Describes a command by its line of the synopsis. */
function describe({ command, text }: Help): string {
  const [usage] = text.split("\n");
  const path = ["lpntk", ...command];
  assert(usage.startsWith(`Usage: ${path.join(" ")} `), usage);
  const options = [...text.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, name]) => name);
  const placeholders = usage.match(/<[\w-]+>/g) ?? [];
  return [...(command.length > 0 ? command : path), ...placeholders, ...options].join(" ");
}

const all = await readHelp();

Deno.test("--help of every command lists the options that scripts rely on, and exits with 0", () => {
  assert.equal(all.map(describe).join("\n"), SYNOPSIS);
});

Deno.test("the page of commands is what --help prints", async () => {
  assert.equal(
    await Deno.readTextFile(`${ROOT}/docs/commands.md`),
    writePage(all),
    "docs/commands.md is out of date; deno run -A tests/cli/help.ts > docs/commands.md",
  );
});

Deno.test("a call without a command shows the help and exits with 2", async () => {
  const { code, stdout, stderr } = await runLpntk([]);
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  assert.equal(stderr, await succeed(["--help"]));
});

Deno.test("the task of the project is the command line, and tells its version", async () => {
  const task = prepareDeno(["task", "--quiet", "lpntk", "--version"]);
  assert.equal(await expectSuccess(task), `${manifest.version}\n`);
});
