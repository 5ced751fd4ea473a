/** Results of a command that a signal stops. @module */
import assert from "node:assert/strict";
import { openTempFolder } from "../temp_folder.ts";
import { finish, listFolder, type Outcome, prepareLpntk, ROOT } from "./process.ts";

const SIGNALS = [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const;

Deno.test({
  name: "nothing stays of a command that is told to stop but what it goes on with",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await openTempFolder();
    const { path } = folder;
    await Promise.all(SIGNALS.map(async ([signal, code]) => {
      const own = `${path}/${signal}`;
      await Deno.mkdir(own);
      const args = ["train", "--model", "mlp", "--data", "digits", "--epochs", "10000"];
      const child = prepareLpntk([...args, "--out", `${own}/out`]).spawn();
      const exists = (path: string) => Deno.stat(path).then(() => true, () => false);
      while (!await exists(`${own}/out/.partial`)) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      child.kill(signal);
      const outcome = await child.output();
      assert.equal(outcome.code, code, new TextDecoder().decode(outcome.stderr));
      // the checkpoint, if an epoch had ended
      const isBegun = await exists(`${own}/out/.resume`);
      assert.deepEqual(await listFolder(own), isBegun ? ["out"] : []);
      if (isBegun) assert.deepEqual(await listFolder(`${own}/out`), [".resume"]);
    }));
  },
});

/** Runs a program that a shell starts, in which `Deno` is this one and `ROOT` the project's folder. */
async function runShell(line: string, program: string): Promise<Outcome> {
  await using folder = await openTempFolder();
  await Deno.writeTextFile(`${folder.path}/program.ts`, program);
  const args = ["-c", line.replace("PROGRAM", `"$0" run -A ${folder.path}/program.ts`)];
  return await finish(
    new Deno.Command("sh", {
      args: [...args, Deno.execPath()],
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(60_000),
    }),
  );
}

Deno.test({
  name: "a signal that a process was begun to ignore, as by nohup, stays ignored",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const program = `
      import { onInterrupt } from "${ROOT}/cli/interruption.ts";
      using _listening = onInterrupt(() => {});
      Deno.kill(Deno.pid, "SIGHUP");
      await new Promise((resolve) => setTimeout(resolve, 300));
      console.log("on");
    `;
    assert.deepEqual(await runShell("trap '' HUP; exec PROGRAM", program), {
      code: 0,
      stdout: "on\n",
      stderr: "",
    });
    assert.deepEqual(await runShell("exec PROGRAM", program), {
      code: 129,
      stdout: "",
      stderr: "",
    });
  },
});

Deno.test({
  name: "standard error on a full device ends no job",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const program = `
      import { say } from "${ROOT}/cli/print.ts";
      say("nobody hears");
      console.log("on");
    `;
    const { code, stdout } = await runShell("PROGRAM 2>/dev/full", program);
    assert.deepEqual([code, stdout], [0, "on\n"]);
  },
});
