/**
 * Tables in Parquet: their columns, metadata and rows, a group of rows at a time.
 *
 * @module
 */
import {
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type SchemaTree,
} from "npm:hyparquet@1.33.0";
import { compressors } from "npm:hyparquet-compressors@1.1.2";
import { FileError } from "../errors.ts";
import { InputFile } from "../files/file.ts";
import { describeName } from "../options.ts";

/** A column of a table. */
export interface ParquetColumn {
  readonly name: string;
  /** What a row has in it: bytes, bytes beside their path as Hugging Face stores pictures, a text, an integer, or anything else. */
  readonly kind: "bytes" | "picture" | "text" | "integer" | "other";
}

/** Values of a row by the names of the columns that were asked for; `null` or absent where there is none. */
export type ParquetRow = Readonly<Record<string, unknown>>;

const KIND = "a whole Parquet file";

/** A Parquet file that is open for reading; dispose it to close it. */
export class ParquetFile implements Disposable {
  /** Columns of the table, in their order. */
  readonly columns: readonly ParquetColumn[];

  private constructor(
    private readonly file: InputFile,
    private readonly metadata: FileMetaData,
  ) {
    this.columns = parquetSchema(metadata).children.map((column) => ({
      name: column.element.name,
      kind: tellKind(column),
    }));
  }

  /**
   * Opens a file and reads its metadata.
   *
   * @throws {FileError} when the file is missing, no regular file, or no Parquet
   */
  static async open(path: string): Promise<ParquetFile> {
    const file = await InputFile.open(path, KIND);
    try {
      const metadata = await parquetMetadataAsync(asBuffer(file));
      checkGroups(metadata, file);
      return new ParquetFile(file, metadata);
    } catch (cause) {
      file[Symbol.dispose]();
      throw explain(path, cause);
    }
  }

  get path(): string {
    return this.file.path;
  }

  /** Number of rows. */
  get rowCount(): number {
    return Number(this.metadata.num_rows);
  }

  /** Returns the text of a key of the file's metadata. */
  find(key: string): string | undefined {
    return this.metadata.key_value_metadata?.find((entry) => entry.key === key)?.value;
  }

  /**
   * Reads the rows in their order. Memory holds one group of rows, of these columns alone.
   *
   * @throws {FileError} when the data are broken, or compressed in a way that is not supported
   */
  async *read(columns: readonly string[]): AsyncGenerator<ParquetRow> {
    let rowStart = 0;
    for (const { num_rows } of this.metadata.row_groups) {
      const rowEnd = rowStart + Number(num_rows);
      yield* await this.#readGroup(columns, rowStart, rowEnd);
      rowStart = rowEnd;
    }
  }

  async #readGroup(
    columns: readonly string[],
    rowStart: number,
    rowEnd: number,
  ): Promise<ParquetRow[]> {
    const { file, metadata, path } = this;
    try {
      const rows = await parquetReadObjects({
        file: asBuffer(file),
        metadata,
        columns: [...columns],
        rowStart,
        rowEnd,
        compressors,
        utf8: false,
      });
      if (rows.length === rowEnd - rowStart) return rows;
      throw new Error(`${rows.length} rows, where ${rowEnd - rowStart} are declared`);
    } catch (cause) {
      throw explain(path, cause);
    }
  }

  [Symbol.dispose](): void {
    this.file[Symbol.dispose]();
  }
}

/** Lets the library read from a file, never beyond its end. */
function asBuffer(file: InputFile) {
  return {
    byteLength: file.sizeBytes,
    slice: async (start: number, end = file.sizeBytes): Promise<ArrayBuffer> => {
      if (!(start >= 0 && start <= end && end <= file.sizeBytes)) {
        throw new Error(`a reference to bytes ${start} to ${end} of ${file.sizeBytes}`);
      }
      return (await file.read(start, end - start)).buffer;
    },
  };
}

/** @throws {Error} when the groups do not have as many rows as the table, or are larger than the file can hold. */
function checkGroups({ num_rows, row_groups }: FileMetaData, { sizeBytes }: InputFile): void {
  const sum = row_groups.reduce((total, group) => total + group.num_rows, 0n);
  if (sum !== num_rows) throw new Error(`groups of ${sum} rows, where ${num_rows} are declared`);
  if (row_groups.some((group) => group.num_rows < 0n)) throw new Error("a group of negative rows");
  // memory is taken for the rows that are declared, and a row with a picture takes more than a byte
  if (num_rows > BigInt(sizeBytes)) throw new Error(`${num_rows} rows in ${sizeBytes} bytes`);
}

function tellKind({ element, children }: SchemaTree): ParquetColumn["kind"] {
  const { type, repetition_type, converted_type, logical_type } = element;
  if (repetition_type === "REPEATED") return "other";
  if (children.length > 0) {
    const parts = children.map((child) => [child.element.name, tellKind(child)].join(" "));
    const isPicture = parts.includes("bytes bytes") &&
      parts.every((part) => part === "bytes bytes" || part === "path text");
    return isPicture ? "picture" : "other";
  }
  const isText = converted_type === "UTF8" || logical_type?.type === "STRING";
  if (type === "BYTE_ARRAY") {
    if (isText) return "text";
    return converted_type || logical_type ? "other" : "bytes";
  }
  const isPlain = (converted_type === undefined || /^U?INT_/.test(converted_type)) &&
    (logical_type === undefined || logical_type.type === "INTEGER");
  return isPlain && (type === "INT32" || type === "INT64") ? "integer" : "other";
}

function explain(path: string, cause: unknown): FileError {
  if (cause instanceof FileError) return cause;
  const state = cause instanceof Error ? cause.message : String(cause);
  return new FileError(
    path,
    `Cannot read ${path}: got a Parquet file that is broken or not supported (${
      describeName(state)
    }), need ${KIND}`,
    { cause },
  );
}
