/**
 * Shaders of several files. They are WESL (https://wesl-lang.dev): WGSL with `import package::folder::file::name;`, and with declarations
 * that stand under a condition, as in `@if(subgroups) fn read() { ... } @else fn read() { ... }`.
 *
 * @module
 */
import { linkRegistry, RecordResolver } from "npm:wesl@0.7.31/core";
import { tokenize } from "./tokens.ts";

/** A shader in one piece. */
export interface Linked {
  /** Of plain WGSL. */
  readonly tokens: readonly string[];
  /** The conditions that it depends on. */
  readonly asked: ReadonlySet<string>;
}

/** A shader's own text and the files that it may import from: parsed once, and linked once under the same conditions. */
export class Modules {
  readonly #resolver: RecordResolver;
  readonly #linked = new Map<string, Linked>();

  /** @param shared files by their paths, as in `shared/gram.wgsl` */
  constructor(
    private readonly name: string,
    source: string,
    shared: Readonly<Record<string, string>> = {},
  ) {
    const files = Object.entries(shared).map(([path, code]) => [`./${path}`, code]);
    this.#resolver = new RecordResolver({
      ...Object.fromEntries(files),
      [`./${name}.wgsl`]: source,
    });
  }

  /**
   * The shader with what it imports.
   *
   * @param conditions every condition that there may be, and whether it holds
   * @throws {SyntaxError} if it is no WESL, imports what there is not, or has another condition.
   */
  link(conditions: Readonly<Record<string, boolean>>): Linked {
    const key = JSON.stringify(conditions);
    let linked = this.#linked.get(key);
    if (!linked) this.#linked.set(key, linked = this.#link(conditions));
    return linked;
  }

  #link(conditions: Readonly<Record<string, boolean>>): Linked {
    const asked = new Set<string>();
    const watched = new Proxy(conditions, {
      get(_, name: string) {
        asked.add(name);
        if (name in conditions) return conditions[name];
        throw new SyntaxError(
          `got @if(${name}), need one of ${Object.keys(conditions).join(", ")}`,
        );
      },
    });
    try {
      const { dest } = linkRegistry({
        resolver: this.#resolver,
        rootModuleName: this.name,
        conditions: watched,
        sourceMap: false,
      });
      return { tokens: tokenize(dest.text), asked };
    } catch (error) {
      const [message] = (error as Error).message.split("\n", 1);
      throw new SyntaxError(`Cannot link shader '${this.name}': ${message}`, { cause: error });
    }
  }
}
