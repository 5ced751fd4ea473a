/** Another environment for one test, while the tests of other files run beside it in the same process. @module */

/**
 * Lets the code that this file runs read other variables than the process has, until it is disposed; files for a while go where `TMPDIR` says.
 * Processes that are started get what the process has.
 */
export function pretend(variables: Readonly<Record<string, string>>): Disposable {
  const { env: { get }, makeTempFileSync } = Deno;
  Deno.env.get = (name) => variables[name] ?? get.call(Deno.env, name);
  Deno.makeTempFileSync = (options) => makeTempFileSync({ dir: variables.TMPDIR, ...options });
  return {
    [Symbol.dispose]: () => {
      Deno.env.get = get;
      Deno.makeTempFileSync = makeTempFileSync;
    },
  };
}
