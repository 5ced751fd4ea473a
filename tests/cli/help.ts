/**
 * The help of every command. Run as a program it prints `docs/commands.md`:
 *
 *     deno run -A tests/cli/help.ts > docs/commands.md
 *
 * @module
 */
import { succeed } from "./process.ts";

/** Output of `lpntk COMMAND --help`. */
export interface Help {
  /** Words of the command; none for lpntk itself. */
  readonly command: readonly string[];
  readonly text: string;
}

/** Reads the help of a command, and of all commands below it, in the order in which it lists them. */
export async function readHelp(command: readonly string[] = []): Promise<Help[]> {
  const text = await succeed([...command, "--help"], { env: { COLUMNS: "80" } });
  const names = [...(text.split("\nCommands:\n")[1] ?? "").matchAll(/^ {2}([\w-]+)/gm)]
    .map(([, name]) => name).filter((name) => name !== "help");
  const below = await Promise.all(names.map((name) => readHelp([...command, name])));
  return [{ command, text }, ...below.flat()];
}

/** Writes the page of all commands. */
export function writePage(all: readonly Help[]): string {
  const sections = all.map(({ command, text }) => {
    const title = command.length > 0 ? `## ${command.join(" ")}` : "# Commands";
    const note = command.length > 0 ? "" : `\n${NOTE}\n`;
    return `${title}\n${note}\n\`\`\`\n${text.trimEnd()}\n\`\`\`\n`;
  });
  return sections.join("\n");
}

const NOTE =
  `What \`deno task lpntk COMMAND --help\` prints, in one place. It is written by a program
(\`deno run -A tests/cli/help.ts > docs/commands.md\`), and a test holds it against the commands.`;

if (import.meta.main) {
  await Deno.stdout.write(new TextEncoder().encode(writePage(await readHelp())));
}
