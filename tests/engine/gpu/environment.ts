/** Variables of the environment for one test, while the tests of other files run beside it in the same process. @module */

/**
 * Lets the code of this file read other variables than the process has, until it is disposed; temporary files go where `TMPDIR` says. Processes that
 * are started still get the process's variables.
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
