/**
 * Linking of shaders from several files. They are WESL (https://wesl-lang.dev): WGSL with imports, `import package::folder::file::name;`, and
 * conditional declarations, as in `@if(subgroups) fn read() { ... } @else fn read() { ... }`.
 *
 * @module
 */
import { linkRegistry, RecordResolver } from "npm:wesl@0.7.31/core";
import { tokenize } from "./tokens.ts";

/** Shader that has been linked. */
export interface Linked {
  /** Tokens of the shader, plain WGSL without imports and conditions. */
  readonly tokens: readonly string[];
  /** Names of the conditions that the shader depends on. */
  readonly asked: ReadonlySet<string>;
}

/** Source of a shader and the files that it may import from: parsed once, and linked once for each set of conditions. */
export class Modules {
  readonly #resolver: RecordResolver;
  readonly #linked = new Map<string, Linked>();

  /** @param shared files by path, as in `shared/gram.wgsl` */
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
   * Links the shader with its imports.
   *
   * @param conditions all conditions that the shader may name, and whether each holds
   * @throws {SyntaxError} if the shader is no WESL, has an import that does not exist, or names another condition.
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
