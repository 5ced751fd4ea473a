import assert from "node:assert/strict";
import { readFolder } from "../../../engine/data/folder.ts";
import { hasSplit, loadDataset } from "../../../engine/data/named.ts";
import { readNpz } from "../../../engine/data/npz.ts";
import { openTempFolder } from "../../temp_folder.ts";

/** Runs a script of Python in a folder, with NumPy as `n` and arrays of 7 + 3 samples. */
async function runPython(path: string, script: string): Promise<void> {
  const arrays = `
import numpy as n, os, struct, sys, warnings, zipfile
os.chdir(sys.argv[1])
x = (n.arange(7 * 5 * 4 * 3) * 37 % 256).astype('u1').reshape(7, 5, 4, 3)
y = n.array([2, 0, 1, 1, 0, 2, 3])
z, w = x[:3][::-1], n.array([1, 4, 0])
`;
  const { success, stderr } = await new Deno.Command("/usr/bin/python3", {
    args: ["-W", "ignore", "-c", arrays + script, path],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

Deno.test("what NumPy saves stored, deflated and as zip64 is the same data set as a folder of its arrays", async () => {
  await using temp = await openTempFolder();
  await runPython(
    temp.path,
    `
n.savez('stored.npz', x_train=x, y_train=y, x_test=z, y_test=w)
n.savez_compressed('deflated.npz', images=x, labels=y, test_images=z, test_labels=w)
os.mkdir('folder'); os.mkdir('first')
for name, array in dict(images=x, labels=y, test_images=z, test_labels=w).items(): n.save(f'folder/{name}.npy', array)
n.savez('floats.npz', images=n.asfortranarray(x[..., :1] / 7), labels=n.array(['b', 'a', 'c', 'c', 'a', 'b', 'b']))
zipfile.ZIP64_LIMIT = 0
n.savez('zip64.npz', x_train=x, y_train=y.reshape(7, 1).astype('u1'), x_test=z, y_test=w)
`,
  );
  for (const split of ["train", "test"] as const) {
    const { name: _, ...expected } = await readFolder(`${temp.path}/folder`, split);
    for (const file of ["stored.npz", "deflated.npz", "zip64.npz"]) {
      const path = `${temp.path}/${file}`;
      const { name, ...data } = await loadDataset(path, split);
      assert.deepEqual(data, expected, file);
      assert.equal(name, path);
      assert.ok(await hasSplit(path, split));
    }
  }
  const floats = await loadDataset(`${temp.path}/floats.npz`, "train");
  assert.deepEqual([floats.classNames, [...floats.labels]], [["a", "b", "c"], [
    1,
    0,
    2,
    2,
    0,
    1,
    1,
  ]]);
  assert.equal(floats.images[4], Math.fround(12 * 37 % 256 / 7));
  assert.equal(await hasSplit(`${temp.path}/floats.npz`, "test"), false);
});

Deno.test("a file that is not there is called a file, whether or not its path has a folder", async () => {
  for (const path of ["missing.npz", "./missing.parquet"]) {
    await assert.rejects(loadDataset(path, "train"), {
      name: "FileError",
      message: `Cannot load data set ${path}: got no such file, need one`,
    });
  }
});

Deno.test("archives that are broken, lie or have other arrays are refused in one line", async () => {
  await using temp = await openTempFolder();
  await runPython(
    temp.path,
    `
def write(name, **arrays):
    n.savez_compressed(name, **arrays)
    return bytearray(open(name, 'rb').read())
def patch(name, at, value, code='<I'):
    data = write(name, images=x, labels=y)
    struct.pack_into(code, data, data.index(b'PK\\1\\2') + at, value)
    open(name, 'wb').write(data)
write('others.npz', x_train=x, y_train=y, x_val=x)
write('mixed.npz', x_train=x, labels=y)
write('none.npz')
write('alone.npz', images=x)
write('count.npz', images=x, labels=y[:6])
write('objects.npz', images=x, labels=y.astype(object))
data = write('cut.npz', images=x, labels=y); open('cut.npz', 'wb').write(data[:-30])
open('text.npz', 'w').write('no archive')
patch('larger.npz', 24, 2000)
patch('smaller.npz', 24, 100)
patch('bomb.npz', 24, 2 ** 31)
patch('checksum.npz', 16, 1)
patch('method.npz', 10, 12, '<H')
patch('encrypted.npz', 8, 1, '<H')
with zipfile.ZipFile('twice.npz', 'w') as f:
    for _ in 'ab': f.writestr('images.npy', b'')
with zipfile.ZipFile('inner.npz', 'w') as f:
    f.writestr('images.npy', b'no array'); f.writestr('labels.npy', b'')
`,
  );
  const kind =
    "need a NumPy .npz file with arrays x_train and y_train, or images and labels; for a test split x_test and y_test, or test_images and test_labels";
  const broken = (state: string) =>
    `got a zip archive that is broken or not supported (${state}), ${kind}`;
  const cases: Record<string, string> = {
    others: `got x_train, y_train, x_val in it, ${kind}`,
    mixed: `got x_train, labels in it, ${kind}`,
    none: `got no array in it, ${kind}`,
    alone: `got no labels.npy in it, ${kind}`,
    objects:
      "got Python objects, need numbers or texts; save array.astype('<f4') instead, or array.astype(str)",
    larger: broken("not enough bytes in the stream. expected 2000. got only 548"),
    smaller: broken("too many bytes in the stream. expected 100. got at least 548"),
    bomb: broken("images.npy of 2147483648 bytes, more than its 349 can hold"),
    checksum: broken("images.npy with a wrong checksum"),
    method: broken("images.npy encrypted or not deflated"),
    encrypted: broken("images.npy encrypted or not deflated"),
    twice: broken("two members images.npy"),
    inner: "got no NumPy signature in the first 6 bytes, need a .npy file",
    text: broken(
      "End of central directory record signature not found. Either not a zip file, or file is truncated",
    ),
    cut: broken(
      "End of central directory record signature not found. Either not a zip file, or file is truncated",
    ),
    count:
      "got 7 images of shape [5, 4, 3] and 6 labels, need as many images as labels; take both from the same samples",
  };
  for (const [name, state] of Object.entries(cases)) {
    const path = `${temp.path}/${name}.npz`;
    await assert.rejects(readNpz(path, "train"), (error: Error) => {
      assert.ok(["FileError", "DataError"].includes(error.name), String(error));
      // the rest is the path, or that of the array within
      assert.equal(error.message.slice(error.message.indexOf(": ") + 2), state, name);
      return true;
    });
  }
});
