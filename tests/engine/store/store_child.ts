/** A process that writes a store until it is done, or killed: `store_child.ts PATH ROWS CHUNK_ROWS`. @module */
import { finishStore, settle } from "./store_fixtures.ts";

const [path, rows, chunkRows] = Deno.args;
await finishStore(path, settle(Number(rows), { chunkRows: Number(chunkRows) }));
