/**
 * Reflection of compute shaders: reads bindings, the layouts of their types, and workgroup sizes from the source.
 *
 * @module
 */
import {
  type AttributeElem,
  bindIdents,
  evalConstExpr,
  type FnElem,
  type GlobalVarElem,
  RecordResolver,
  refDecl,
  resolveTypeRef,
  type StructType,
  throwOnParseError,
  type Type,
  type TypeContext,
  typeToString,
  visitAst,
  WeslParseError,
} from "npm:wesl@0.7.31/core";

/** Scalar types that host and device share. */
export type Scalar = "u32" | "i32" | "f32" | "f16";

/** Layout of a type in memory. */
export type Layout =
  | { readonly kind: "number"; readonly scalar: Scalar }
  /** Layout of a vector, a matrix (a list of columns) or an array; a runtime-sized array has no count. */
  | {
    readonly kind: "list";
    readonly count?: number;
    readonly strideBytes: number;
    readonly element: Layout;
  }
  | { readonly kind: "struct"; readonly fields: readonly Field[] };

/** Field of a struct. */
export interface Field {
  readonly name: string;
  readonly offsetBytes: number;
  readonly layout: Layout;
}

/** Description of a variable that the host binds. */
export interface BindingDescription {
  /** Name of the variable. */
  readonly name: string;
  /** Index of the bind group. */
  readonly group: number;
  /** Index in the bind group. */
  readonly binding: number;
  /** Access of the shader: a uniform, a storage buffer that is read, or one that is read and written. */
  readonly access: "uniform" | "read" | "read_write";
  /** Smallest size to bind, in bytes: that of the type, with one element of a runtime-sized array. */
  readonly sizeBytes: number;
}

/** Variable that the host binds, with the layout of its type. */
export interface Binding extends BindingDescription {
  readonly layout: Layout;
}

/** Bindings, workgroup size and workgroup memory of an entry point. */
export interface Reflection {
  readonly entryPoint: string;
  /** Bindings that the entry point uses, sorted by group and binding index. */
  readonly bindings: readonly Binding[];
  /** Names of bindings that are declared, but not used by the entry point. */
  readonly unused: readonly string[];
  /** Number of invocations along x, y and z. */
  readonly workgroupSize: readonly [number, number, number];
  /** Size of the workgroup memory, in bytes. */
  readonly workgroupBytes: number;
}

/** A shader that reflection cannot bind or does not understand, though the device may accept it. */
export class ReflectionError extends SyntaxError {
  constructor(message: string, readonly line?: number, options?: ErrorOptions) {
    super(message, options);
  }
}

/**
 * Reads the bindings and workgroup of an entry point from a shader that compiles. The messages of its errors begin with
 * `got`, for the caller to complete.
 *
 * @param entryPoint name of the entry point. Default: the only one
 * @throws {RangeError} if there is no compute entry point of that name, or there are several and none is named.
 * @throws {ReflectionError} if the shader has no compute entry point, binds anything but uniforms and storage buffers of numbers, or has an
 * attribute that is no constant; with the line, where that is known, if it cannot be parsed.
 */
export function reflect(code: string, entryPoint?: string): Reflection {
  const { declarations, context } = parse(code);
  const functions = declarations.filter((declaration) => declaration.kind === "fn");
  const entry = chooseEntry(
    functions.filter((fn) => findAttribute(fn.attributes, "compute")),
    entryPoint,
  );
  const used = findUsed(entry, context);
  const variables = declarations.filter((declaration) => declaration.kind === "gvar");
  const bound = variables.filter(({ attributes }) => findAttribute(attributes, "group"));
  return {
    entryPoint: nameOf(entry),
    bindings: bound.filter((variable) => used.has(variable))
      .map((variable) => describeBinding(variable, context))
      .sort((a, b) => a.group - b.group || a.binding - b.binding),
    unused: bound.filter((variable) => !used.has(variable)).map(nameOf),
    workgroupSize: readSizes(entry, context),
    workgroupBytes: variables
      .filter((variable) => used.has(variable) && variable.template?.[0].name === "workgroup")
      .reduce((bytes, { name }) => {
        const { sizeBytes } = layOut(resolveTypeRef(name.typeRef!, context), context);
        return bytes + roundUp(sizeBytes, 16);
      }, 0),
  };
}

/** Lists the scalar types in a layout, each once. */
export function listScalars(layout: Layout): Scalar[] {
  if (layout.kind === "number") return [layout.scalar];
  const parts = layout.kind === "list" ? [layout.element] : layout.fields.map((f) => f.layout);
  return [...new Set(parts.flatMap(listScalars))];
}

function parse(code: string) {
  // Overrides are read as constants: pipelines leave them at their defaults, which array lengths may depend on
  const text = code.replace(/\boverride\b(?=[^;{}]*=)/g, "const   ");
  const refuse = (why: string, cause: unknown, line?: number): never => {
    throw new ReflectionError(`got declarations that cannot be read: ${why}`, line, { cause });
  };
  try {
    const resolver = new RecordResolver({ "./main.wgsl": text });
    const rootAst = resolver.resolveModule("package::main")!;
    throwOnParseError(rootAst);
    const { bindings } = bindIdents({ rootAst, resolver });
    return { declarations: rootAst.moduleElem.decls, context: { bindings } };
  } catch (error) {
    if (!(error instanceof WeslParseError)) {
      const [message] = (error as Error).message.split("\n", 1);
      return refuse(message, error);
    }
    const { span: [start], diagnostics: [{ message }] } = error;
    const line = code.slice(0, start).split("\n").length;
    return refuse(message, error, line);
  }
}

function chooseEntry(entries: readonly FnElem[], name: string | undefined): FnElem {
  const found = entries.filter((entry) => name === undefined || nameOf(entry) === name);
  if (found.length === 1) return found[0];
  const names = entries.map(nameOf);
  if (names.length === 0) throw new ReflectionError("got no @compute function, need one");
  const got = name === undefined ? `${names.length} entry points` : `no entry point ${name}`;
  throw new RangeError(`got ${got}, need one of ${names.join(", ")}`);
}

/** Finds the variables and functions that a function uses, directly or through the functions that it calls. */
function findUsed(entry: FnElem, { bindings }: TypeContext): ReadonlySet<unknown> {
  const used = new Set<unknown>();
  const visit = (fn: FnElem) =>
    visitAst(fn, (element) => {
      const declaration = element.kind === "ref" && refDecl(element.ident, bindings)?.declElem;
      if (!declaration || used.has(declaration)) return;
      used.add(declaration);
      if (declaration.kind === "fn") visit(declaration);
    });
  visit(entry);
  return used;
}

function describeBinding(variable: GlobalVarElem, context: TypeContext): Binding {
  const name = nameOf(variable);
  const type = resolveTypeRef(variable.name.typeRef!, context);
  const [space, access = "read"] = variable.template?.map(({ name }) => name) ?? [];
  if (space !== "uniform" && space !== "storage") {
    throw new ReflectionError(
      `got '${name}' of type ${typeToString(type)}, need uniforms and storage buffers alone`,
    );
  }
  const { layout, sizeBytes } = layOut(type, context);
  const number = (attribute: string) => readNumbers(variable.attributes, attribute, context)[0];
  return {
    name,
    group: number("group"),
    binding: number("binding"),
    access: space === "uniform" ? "uniform" : access === "read_write" ? "read_write" : "read",
    sizeBytes,
    layout,
  };
}

function readSizes(entry: FnElem, context: TypeContext): readonly [number, number, number] {
  const [x, y = 1, z = 1] = readNumbers(entry.attributes, "workgroup_size", context);
  return [x, y, z];
}

/** Layout, alignment and size of a type, by section 14.4 of the WGSL specification. */
interface LaidOut {
  readonly layout: Layout;
  readonly alignBytes: number;
  /** Size in bytes, with one element of a runtime-sized array. */
  readonly sizeBytes: number;
}

function layOut(type: Type, context: TypeContext): LaidOut {
  switch (type.kind) {
    case "scalar": {
      const bytes = type.scalar === "f16" ? 2 : 4;
      const layout = { kind: "number", scalar: type.scalar as Scalar } as const;
      return { layout, alignBytes: bytes, sizeBytes: bytes };
    }
    case "atomic":
      return layOut(type.elem, context);
    case "vector": {
      const { layout: element, sizeBytes: strideBytes } = layOut(type.elem, context);
      return {
        layout: { kind: "list", count: type.size, strideBytes, element },
        alignBytes: strideBytes * (type.size === 3 ? 4 : type.size),
        sizeBytes: strideBytes * type.size,
      };
    }
    case "matrix":
      return layOutList({ kind: "vector", size: type.rows, elem: type.elem }, type.cols, context);
    case "array":
      return layOutList(type.elem, type.count, context);
    case "struct":
      return layOutStruct(type, context);
    default:
      throw new ReflectionError(
        `got a variable of type ${typeToString(type)}, need one of numbers`,
      );
  }
}

function layOutList(type: Type, count: number | undefined, context: TypeContext): LaidOut {
  const { layout: element, alignBytes, sizeBytes } = layOut(type, context);
  const strideBytes = roundUp(sizeBytes, alignBytes);
  return {
    layout: { kind: "list", count, strideBytes, element },
    alignBytes,
    sizeBytes: strideBytes * (count ?? 1),
  };
}

function layOutStruct({ members, structElem }: StructType, context: TypeContext): LaidOut {
  let [end, largest] = [0, 1];
  const fields = members.map(({ name, type }, i): Field => {
    const laid = layOut(type, context);
    const { attributes } = structElem!.members[i];
    const [alignBytes = laid.alignBytes] = readNumbers(attributes, "align", context);
    const [sizeBytes = laid.sizeBytes] = readNumbers(attributes, "size", context);
    const offsetBytes = roundUp(end, alignBytes);
    end = offsetBytes + sizeBytes;
    largest = Math.max(largest, alignBytes);
    return { name, offsetBytes, layout: laid.layout };
  });
  return {
    layout: { kind: "struct", fields },
    alignBytes: largest,
    sizeBytes: roundUp(end, largest),
  };
}

/** Reads the numbers of an attribute, as in `@workgroup_size(8, 2 * N)`; none where the attribute is missing. */
function readNumbers(
  attributes: readonly AttributeElem[] | undefined,
  name: string,
  context: TypeContext,
): number[] {
  const parameters = findAttribute(attributes, name)?.params ?? [];
  return parameters.map(({ expression }) => {
    const value = evalConstExpr(expression, context);
    if (value?.kind === "scalar") return Number(value.value);
    throw new ReflectionError(
      `got @${name} that cannot be worked out, need a number, a constant or an override with a default`,
    );
  });
}

function findAttribute(attributes: readonly AttributeElem[] | undefined, name: string) {
  return attributes?.map(({ attribute }) => attribute)
    .filter((attribute) => attribute.kind === "@attribute")
    .find((attribute) => attribute.name === name);
}

function nameOf({ name }: FnElem | GlobalVarElem): string {
  return (name.kind === "typeDecl" ? name.decl : name).ident.originalName;
}

function roundUp(size: number, to: number): number {
  return Math.ceil(size / to) * to;
}
