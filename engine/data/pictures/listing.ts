/**
 * Pictures in class folders: `root/class/x.png`, or `root/train/class/x.png` with `test` or `val` beside `train`.
 *
 * @module
 */
import { FileError } from "../../errors.ts";
import { findState, isAbsence } from "../../files/file.ts";
import { MOST_PICTURE_BYTES } from "../../formats/picture.ts";
import { describeName } from "../../options.ts";
import { compareCodePoints } from "../code_points.ts";
import type { Split } from "../dataset.ts";
import { holdsResults } from "./results.ts";

/** A file that should be a picture. */
export interface PictureFile {
  readonly split: Split;
  /** Path relative to the folder of the data set, with `/` between its parts. */
  readonly file: string;
  readonly label: number;
  readonly sizeBytes: number;
  /** Time of its last change, in milliseconds since 1970. */
  readonly changedMs: number;
  /** What tells it from any file that stands there before or after; undefined where the system does not tell. */
  readonly identity?: FileIdentity;
  /** Why it cannot be opened: `got ..., need ...`; absent where it can. */
  readonly problem?: string;
  /** Whether there is no such file. */
  readonly isMissing?: true;
}

/**
 * State of a file that no ordinary tool sets back: a file that is moved or copied over another brings its time of change and its size along, but not
 * its inode or the time at which that was changed, in milliseconds since 1970.
 */
interface FileIdentity {
  readonly statusMs: number;
  readonly inode: number;
}

/** Pictures of a data set, before one of them is opened. */
export interface PictureListing {
  /** Names of the classes by their labels, in code point order. */
  readonly classNames: readonly string[];
  /** Files of the training split, then of the test split, each in code point order of their paths. */
  readonly files: readonly PictureFile[];
  /** Sentences on what is left out. */
  readonly notes: readonly string[];
}

/** Files and folders of a folder, without hidden ones, in code point order. */
export interface FolderContents {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  /** Folders of results of lpntk, which are passed over. */
  readonly results: readonly string[];
}

/** Files that systems leave behind, beside those whose name begins with a dot. */
const RUBBISH = ["thumbs.db", "desktop.ini", "__macosx"];

/** Endings of files that make a folder one of pictures; what a file is its first bytes say. */
const ENDING = /\.(png|jpe?g|gif|bmp|webp|tiff?)$/i;

/** Files whose state is asked for at once. */
const AT_ONCE = 256;

/** Most names that a note lists; the rest is counted. */
const NAMED = 5;

/** Lists what is in a folder; links count as what they lead to. */
export async function listFolder(path: string): Promise<FolderContents> {
  const files: string[] = [];
  const folders: string[] = [];
  const results: string[] = [];
  try {
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(path)) {
      if (name.startsWith(".") || RUBBISH.includes(name.toLowerCase())) continue;
      const isFolder = isDirectory || (isSymlink && await leadsToFolder(`${path}/${name}`));
      const kind = !isFolder ? files : await holdsResults(`${path}/${name}`) ? results : folders;
      kind.push(name);
    }
  } catch (cause) {
    const got = describeAbsence(path, cause) ?? findState(cause).got;
    throw new FileError(path, `Cannot read ${path}: got ${got}, need a folder`, { cause });
  }
  for (const names of [files, folders, results]) names.sort(compareCodePoints);
  return { files, folders, results };
}

async function leadsToFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}

/** Describes a name from a folder that nothing can be opened by; undefined for any other failure. */
function describeAbsence(path: string, cause: unknown): string | undefined {
  if (!isAbsence(cause)) return undefined;
  // such names are listed with this character in place of what is wrong
  return path.includes("\ufffd") ? "a name that is not UTF-8" : "a link that leads nowhere";
}

/**
 * Lists the files in a folder and in all folders below it, as paths from `root` on.
 *
 * @param onResults hears of folders of results, which are passed over
 * @throws {FileError} when a folder cannot be read, or a link leads back to a folder that it is in
 */
export async function* walk(
  root: string,
  below = "",
  onResults?: (folder: string) => void,
  above: readonly string[] = [],
): AsyncGenerator<string> {
  const path = below === "" ? root : `${root}/${below}`;
  const { files, folders, results } = await listFolder(path);
  const place = await Deno.realPath(path);
  if (above.includes(place)) {
    throw new FileError(
      path,
      `Cannot read ${path}: got a link to a folder that it is in, need folders within one another`,
    );
  }
  const prefix = below === "" ? "" : `${below}/`;
  for (const name of results) onResults?.(`${prefix}${name}`);
  for (const name of files) yield `${prefix}${name}`;
  for (const name of folders) yield* walk(root, `${prefix}${name}`, onResults, [...above, place]);
}

/** Returns whether a folder has a file with the ending of a picture in it, or in a folder below it. */
export async function holdsPictureFiles(path: string): Promise<boolean> {
  for await (const file of walk(path)) if (isPictureName(file)) return true;
  return false;
}

/** Returns whether a file has the ending of a picture. */
export function isPictureName(file: string): boolean {
  return ENDING.test(file);
}

/** Looks up sizes and identities of files. */
export async function describeFiles(
  root: string,
  files: readonly Pick<PictureFile, "file" | "label" | "split">[],
): Promise<PictureFile[]> {
  const described: PictureFile[] = [];
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const some = files.slice(start, start + AT_ONCE).map((file) => describeFile(root, file));
    described.push(...await Promise.all(some));
  }
  return described;
}

async function describeFile(
  root: string,
  file: Pick<PictureFile, "file" | "label" | "split">,
): Promise<PictureFile> {
  const path = `${root}/${file.file}`;
  try {
    const now = Date.now();
    const { size: sizeBytes, isFile, mtime, ...state } = await Deno.stat(path);
    const changedMs = mtime?.getTime() ?? 0;
    const identity = identify(state, now);
    const problem = !isFile
      ? "got no regular file, need one"
      : sizeBytes > MOST_PICTURE_BYTES
      ? `got ${sizeBytes} bytes, need a picture of at most ${MOST_PICTURE_BYTES}`
      : undefined;
    return { ...file, sizeBytes, changedMs, identity, ...problem && { problem } };
  } catch (cause) {
    const got = describeAbsence(path, cause) ?? findState(cause).got;
    return {
      ...file,
      sizeBytes: 0,
      changedMs: 0,
      problem: `got ${got}, need a picture`,
      ...isAbsence(cause) && { isMissing: true },
    };
  }
}

/** Milliseconds to which Deno rounds the time of an inode's change down. */
const STATUS_STEP_MS = 1000;

/** Returns the identity of a file; undefined where the system does not tell, or a change from `now` on could have the same time as its last one. */
function identify(
  { ctime, ino: inode }: Pick<Deno.FileInfo, "ctime" | "ino">,
  now: number,
): FileIdentity | undefined {
  if (!ctime || inode === null) return undefined;
  const statusMs = ctime.getTime();
  if (statusMs + STATUS_STEP_MS > now) return undefined;
  return { statusMs, inode };
}

/** Folders of the splits, relative to the root; the root itself where it has the class folders. */
interface SplitFolders {
  readonly train: string;
  readonly test?: string;
  /** Folder of a second split to test on, which is left out. */
  readonly spare?: string;
  /** Other folders, which hold no pictures. */
  readonly others: readonly string[];
}

/**
 * Finds the folders that hold class folders; undefined where a folder has no pictures in class folders.
 *
 * @param tables the CSV files of the folder in words, none of which gives labels
 * @throws {FileError} when the folders are none of the layouts
 */
export async function findClassFolders(
  path: string,
  tables: readonly string[],
): Promise<SplitFolders | undefined> {
  const { files, folders } = await listFolder(path);
  const holding: string[] = [];
  for (const name of folders) if (await holdsPictureFiles(`${path}/${name}`)) holding.push(name);
  const refuse = (got: string) =>
    new FileError(
      path,
      `Cannot read ${path}: got ${got}, need a folder of pictures for each class, or train with such folders and ` +
        "test or val beside it, or a CSV of pictures with the columns file and label",
    );
  if (holding.length === 0) {
    if (!files.some(isPictureName)) return undefined;
    const beside = tables.length > 0 ? `with ${tables.join(", and ")}` : "without class folders";
    throw refuse(`pictures ${beside}`);
  }
  const splits = ["train", "test", "val"].filter((name) => folders.includes(name));
  const nested: string[] = [];
  for (const name of splits) {
    if ((await listFolder(`${path}/${name}`)).folders.length > 0) nested.push(name);
  }
  // classes may have these names too, but then not each of them
  if (nested.length === 0) {
    if (holding.some((name) => !splits.includes(name))) return { train: "", others: [] };
    throw refuse(`pictures without class folders in ${splits.join(" and ")}`);
  }
  if (!nested.includes("train")) throw refuse(`class folders in ${nested.join(" and ")} alone`);
  const beside = holding.filter((name) => !splits.includes(name));
  if (beside.length > 0) throw refuse(`pictures in ${listNames(beside)} beside train`);
  const [test, spare] = splits.filter((name) => name !== "train");
  return { train: "train", test, spare, others: folders.filter((name) => !splits.includes(name)) };
}

/**
 * Lists the pictures in class folders, in folders within them too.
 *
 * @param resultTables names of CSV files of the folder that are results of lpntk
 * @throws {FileError} when a folder cannot be read, there is one class alone, or the test split has a class that the training split does not have
 */
export async function listClassFolders(
  path: string,
  { train, test, spare, others }: SplitFolders,
  resultTables: readonly string[],
): Promise<PictureListing> {
  const { folders: classNames, results } = await listFolder(join(path, train));
  await refuseOneClass(join(path, train), classNames, results);
  const skipped: string[] = [];
  const passedOver = train === "" ? [] : [...(await listFolder(path)).results];
  const list = async (split: Split, folder: string): Promise<PictureFile[]> => {
    const { files, folders, results } = await listFolder(join(path, folder));
    skipped.push(...files.map((file) => join(folder, file)));
    passedOver.push(...results.map((result) => join(folder, result)));
    const stranger = folders.find((name) => !classNames.includes(name));
    if (stranger !== undefined) {
      throw new FileError(
        path,
        `Cannot read ${path}: got class ${
          describeName(stranger)
        } in ${folder} alone, need every class of it in ${train} too; an empty folder there will do`,
      );
    }
    const found: Pick<PictureFile, "file" | "label" | "split">[] = [];
    for (const name of folders) {
      const label = classNames.indexOf(name);
      const onResults = (result: string) => passedOver.push(result);
      for await (const file of walk(path, join(folder, name), onResults)) {
        found.push({ split, file, label });
      }
    }
    found.sort((a, b) => compareCodePoints(a.file, b.file));
    return await describeFiles(path, found);
  };
  const files = await list("train", train);
  if (test) files.push(...await list("test", test));
  const left = [...others, ...skipped.filter((name) => !resultTables.includes(name))];
  const ours = [...passedOver, ...resultTables];
  return {
    classNames,
    files,
    notes: [
      ...spare ? [`left out of ${path}, since there is a folder ${test}: ${spare}`] : [],
      ...left.length > 0
        ? [`left out of ${path}, since it is in no class folder: ${listNames(left)}`]
        : [],
      ...ours.length > 0
        ? [`left out of ${path}, since a run of lpntk wrote it: ${listNames(ours)}`]
        : [],
    ],
  };
}

async function refuseOneClass(
  path: string,
  classNames: readonly string[],
  results: readonly string[],
): Promise<void> {
  if (classNames.length > 1) return;
  const [only] = classNames;
  const { folders } = await listFolder(`${path}/${only}`);
  const hint = folders.length > 1
    ? `; if its folders are the classes, give ${path}/${only}`
    : results.length > 0
    ? `; results of lpntk are no classes: ${listNames(results)}`
    : "";
  throw new FileError(
    path,
    `Cannot read ${path}: got one class folder, ${describeName(only)}, need at least 2${hint}`,
  );
}

/** Joins the first names of a list, and counts the rest. */
export function listNames(names: readonly string[]): string {
  const rest = names.length - NAMED;
  return names.slice(0, NAMED).map(describeName).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function join(folder: string, name: string): string {
  return folder === "" ? name : name === "" ? folder : `${folder}/${name}`;
}
