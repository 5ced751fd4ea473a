/**
 * Shaders of several files. They are WESL (https://wesl-lang.dev): WGSL with `import package::folder::file::name;`, and with declarations
 * that stand under a condition, as in `@if(subgroups) fn read() { ... } @else fn read() { ... }`.
 *
 * @module
 */
import { linkRegistry, RecordResolver } from "npm:wesl@0.7.31/core";

/** A shader's own text and the files that it may import from, each parsed once however often they are linked. */
export class Modules {
  readonly #resolver: RecordResolver;

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
   * The shader in one piece with what it imports.
   *
   * @param conditions every condition that there may be, and whether it holds
   * @returns plain WGSL, and the conditions that it depends on
   * @throws {SyntaxError} if it is no WESL, imports what there is not, or has another condition.
   */
  link(conditions: Readonly<Record<string, boolean>>): {
    readonly code: string;
    readonly asked: ReadonlySet<string>;
  } {
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
      const linked = linkRegistry({
        resolver: this.#resolver,
        rootModuleName: this.name,
        conditions: watched,
        sourceMap: false,
      });
      return { code: linked.dest.text, asked };
    } catch (error) {
      const [message] = (error as Error).message.split("\n", 1);
      throw new SyntaxError(`Cannot link shader '${this.name}': ${message}`, { cause: error });
    }
  }
}
