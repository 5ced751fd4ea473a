/** Advice of `setup.sh` about cards that Vulkan does not reach, and its archives for machines without network. @module */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { openTempFolder } from "../temp_folder.ts";
import { finish, listFolder, type Outcome, ROOT } from "./process.ts";

/** Runs a shell script with little but PATH in its environment. */
function runScript(
  args: readonly string[],
  { cwd = ROOT, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Outcome> {
  return finish(
    new Deno.Command("sh", {
      args: [...args],
      cwd,
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH")!, NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(300_000),
    }),
  );
}

/** Runs `cards.sh` on a machine that has these files. */
async function describeCards(files: Readonly<Record<string, string>>): Promise<string[]> {
  await using root = await openTempFolder();
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(`${root.path}/${name}`), { recursive: true });
    await Deno.writeTextFile(`${root.path}/${name}`, text);
  }
  const { code, stdout, stderr } = await runScript(["setup/cards.sh", root.path]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return stdout.split("\n").slice(0, -1);
}

/** Files of a device on the PCI bus, as Linux shows it. */
function placeDevice(slot: string, vendor: string, pciClass: string): Record<string, string> {
  const folder = `sys/bus/pci/devices/0000:${slot}`;
  return { [`${folder}/vendor`]: `${vendor}\n`, [`${folder}/class`]: `${pciClass}\n` };
}

const NVIDIA = placeDevice("01:00.0", "0x10de", "0x030200");
const AMD = placeDevice("02:00.0", "0x1002", "0x038000");
const NODE = { "dev/dri/renderD128": "" };

Deno.test({
  name: "a card is named with what it needs, by vendor, system and container",
  ignore: Deno.build.os === "windows",
  async fn() {
    const cases: [machine: Record<string, string>, ...says: RegExp[]][] = [
      [{}],
      // a sound card of the same vendor, a network card, another vendor's display
      [placeDevice("01:00.1", "0x10de", "0x040300")],
      [placeDevice("03:00.0", "0x8086", "0x020000")],
      [placeDevice("04:00.0", "0x1a03", "0x030000")],
      [NVIDIA, /^an NVIDIA card: .* non-free .* nvidia-driver and nvidia-vulkan-icd$/],
      [
        { ...NVIDIA, "etc/os-release": "NAME=Ubuntu\nID=ubuntu\nID_LIKE=debian\n" },
        /^an NVIDIA card: .* sudo ubuntu-drivers install /,
      ],
      // the same card twice, and all that a container may see of one
      [{ ...NVIDIA, "sys/class/drm/card0/device/vendor": "0x10de\n" }, /^an NVIDIA card: /],
      [
        { "proc/driver/nvidia/version": "NVRM version: 535\n", ".dockerenv": "" },
        /^an NVIDIA card: .* NVIDIA_DRIVER_CAPABILITIES=all/,
      ],
      [AMD, /^an AMD card: there is no \/dev\/dri\/renderD\*; .* \(amdgpu\)/],
      [{ ...AMD, "run/.containerenv": "" }, /^an AMD card: .* --device \/dev\/dri$/],
      [{ ...AMD, ...NODE }, /^an AMD card: its driver is in the package mesa-vulkan-drivers/],
      [
        { "sys/class/drm/card1/device/vendor": "0x8086\n", ...NODE, ...NVIDIA },
        /^an NVIDIA card: /,
        /^an Intel card: its driver is in the package mesa-vulkan-drivers/,
      ],
    ];
    for (const [machine, ...says] of cases) {
      const lines = await describeCards(machine);
      assert.equal(lines.length, says.length, JSON.stringify([machine, lines]));
      says.forEach((says) => assert.ok(lines.some((line) => says.test(line)), lines.join("\n")));
    }
  },
});

/** Proxies at a port where nobody listens, so that every request to the network fails. */
const NO_NETWORK = Object.fromEntries(
  ["HTTP_PROXY", "HTTPS_PROXY"].map((name) => [name, "http://127.0.0.1:9"]),
);

const SCRIPT = `
import { drawDigits } from "lpntk";
console.log(drawDigits("train", { size: 30 }).labels.length);
`;

Deno.test({
  name: "what is packed runs without network and from any folder, and no file is overwritten",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folder = await openTempFolder();
    const { path } = folder;
    const pack = () =>
      finish(
        new Deno.Command("sh", {
          args: [`${ROOT}/setup.sh`, "pack", "p.tar"],
          cwd: path,
          stdin: "null",
          stdout: "piped",
          stderr: "piped",
        }),
      );
    const { code, stdout, stderr } = await pack();
    assert.deepEqual([code, stdout], [0, `${path}/p.tar\n`], stderr);
    const before = await Deno.stat(`${path}/p.tar`);
    const again = await pack();
    assert.deepEqual([again.code, again.stdout], [1, ""]);
    assert.match(
      again.stderr,
      /^setup\.sh: Cannot write \S+p\.tar: got a file of that name, need /,
    );
    assert.equal((await Deno.stat(`${path}/p.tar`)).mtime?.getTime(), before.mtime?.getTime());

    const tar = new Deno.Command("tar", { args: ["xf", "p.tar"], cwd: path });
    assert.equal((await tar.output()).code, 0);
    assert.deepEqual((await listFolder(path)).filter((name) => !name.startsWith(".")), [
      "lpntk",
      "p.tar",
    ]);
    const packed = await listFolder(`${path}/lpntk`);
    assert.ok(packed.includes("docs") && !packed.includes("tests"), packed.join());
    await Deno.mkdir(`${path}/home`);
    await Deno.writeTextFile(`${path}/script.ts`, SCRIPT);
    const run = async (args: string, cwd = path) => {
      const env = { ...NO_NETWORK, HOME: `${path}/home`, PATH: "/usr/bin:/bin" };
      const ran = await runScript([`${path}/lpntk/run.sh`, ...args.split(" ")], { cwd, env });
      assert.deepEqual([ran.code, ran.stderr], [0, ""]);
      return ran.stdout;
    };
    assert.equal(await run("deno run script.ts"), "30\n");
    await run(
      "train --model mlp --data digits --train-size 40 --test-size 20 --epochs 1 --out a",
      `${path}/home`,
    );
    assert.ok((await listFolder(`${path}/home/a`)).includes("weights.safetensors"));
  },
});

Deno.test("a call of setup.sh that names no file to pack, or several, is a mistake", async () => {
  for (const args of [[], ["pack", "--help"], ["pack", "a.tar", "b.tar"], ["pack", ""]]) {
    const { code, stderr } = await runScript(["setup.sh", ...args]);
    assert.equal(code, 2, args.join());
    assert.match(stderr, /^Usage: /);
  }
});
