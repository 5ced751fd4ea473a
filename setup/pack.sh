#!/bin/sh
# Packs lpntk for machines of the same kind that reach no network: `sh setup.sh pack [FILE]` calls this script with a
# fitting Deno in PATH. Prints the name of the archive, which tar compresses by its ending. The archive holds one
# folder, lpntk/, with setup/run.sh, which runs lpntk there.
set -eu
unset CDPATH

say() {
  printf 'setup.sh: %s\n' "$*" >&2
}

fail() {
  say "$*"
  exit 1
}

[ "$(uname -s)" = Linux ] || fail "Cannot pack for another system: got $(uname -s), need Linux"
stood=$PWD
cd -- "$(dirname -- "$0")/.."
version=$(deno eval --no-config 'console.log(JSON.parse(Deno.readTextFileSync("deno.json")).version)')
file=${1-lpntk-$version-linux-$(uname -m).tar.xz}
case $file in /*) ;; *) file=$stood/$file ;; esac
case $file in
  *.tar | *.tar.xz | *.tar.gz | *.tar.zst | *.tar.bz2 | *.tgz | *.txz) ;;
  *) fail "Cannot write $file: got an ending that no archive of tar has, need .tar.xz, .tar.gz or .tar" ;;
esac
[ ! -e "$file" ] || fail "Cannot write $file: got a file of that name, need none; remove it or name another"
[ -d "$(dirname -- "$file")" ] || fail "Cannot write $file: got no folder $(dirname -- "$file"), need one; create it"
loader=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p | sed -n 's/.*libvulkan\.so\.1 .*=> //p' | head -n 1)
[ -n "$loader" ] || fail 'Cannot pack the Vulkan loader: got no libvulkan.so.1, need it; install libvulkan1 (Debian, Ubuntu) or vulkan-loader (Fedora)'

scratch=$(mktemp -d)
partial=
trap 'rm -rf "$scratch" ${partial:+"$partial"}' EXIT
trap 'exit 1' HUP INT TERM
root=$scratch/lpntk
mkdir -p "$root/bin" "$root/lib"

# files that the commands and the library import, directly or not; no tests
deno info --json cli/main.ts >"$scratch/cli.json"
deno info --json mod.ts >"$scratch/mod.json"
deno eval --no-config '
  const root = new URL("file://" + Deno.realPathSync(".") + "/").href;
  const read = (name) => JSON.parse(Deno.readTextFileSync(name)).modules;
  const paths = Deno.args.flatMap(read).map(({ specifier }) => specifier)
    .filter((specifier) => specifier.startsWith(root))
    .map((specifier) => decodeURIComponent(specifier.slice(root.length)));
  console.log([...new Set(paths)].join("\n"));
' "$scratch/cli.json" "$scratch/mod.json" >"$scratch/files"
printf '%s\n' deno.json deno.lock LICENSE ./*.md docs/*.md bench/*.md bench/*.svg bench/reports/* >>"$scratch/files"
sort -u "$scratch/files" | tar -cf - -T - | tar -C "$root" -xf -
cp setup/run.sh "$root/run.sh"
cp -L "$loader" "$root/lib/libvulkan.so.1"
cp -L "$(deno eval --no-config 'console.log(Deno.execPath())')" "$root/bin/deno"
chmod 755 "$root/bin/deno"

# modules of npm: those that Deno has in its cache, the others from the network
cache=$(deno info --no-config --json | sed -n 's/^ *"denoDir": "\(.*\)",*$/\1/p')
deno eval --no-config '
  const [cache] = Deno.args;
  for (const { name: registry } of Deno.readDirSync(cache + "/npm")) {
    for (const key of Object.keys(JSON.parse(Deno.readTextFileSync("deno.lock")).npm)) {
      const [, name, version] = key.match(/^(@?[^@]+)@([^_]+)/);
      for (const part of ["registry.json", version]) {
        const path = ["npm", registry, name, part].join("/");
        try {
          Deno.statSync(cache + "/" + path);
          console.log(path);
        } catch { /* deno cache will fetch it */ }
      }
    }
  }
' "$cache" | sort -u >"$scratch/modules"
mkdir "$root/deno_dir"
tar -C "$cache" -cf - -T "$scratch/modules" | tar -C "$root/deno_dir" -xf -
(cd "$root" && DENO_DIR=$root/deno_dir deno cache --quiet --frozen cli/main.ts mod.ts)

# source maps, which only debuggers read, are more than half of the modules
find "$root/deno_dir" -name '*.map' -delete

say "packing $file"
partial=$(mktemp -d "$(dirname -- "$file")/.lpntk-pack-XXXXXXXX")
XZ_OPT=${XZ_OPT--T0} tar -C "$scratch" --auto-compress -cf "$partial/$(basename -- "$file")" lpntk
mv -n -- "$partial/$(basename -- "$file")" "$file"
[ ! -e "$partial/$(basename -- "$file")" ] || fail "Cannot write $file: got a file of that name meanwhile, need none"
printf '%s\n' "$file"
