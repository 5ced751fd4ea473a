/** What stays of a command that is told to stop. @module */
import assert from "node:assert/strict";
import { openTempFolder } from "../temp_folder.ts";
import { listFolder, prepareLpntk } from "./process.ts";

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
      // what the same call goes on with, if an epoch had ended
      const isBegun = await exists(`${own}/out/.resume`);
      assert.deepEqual(await listFolder(own), isBegun ? ["out"] : []);
      if (isBegun) assert.deepEqual(await listFolder(`${own}/out`), [".resume"]);
    }));
  },
});
