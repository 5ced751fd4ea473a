#!/bin/sh
# Installs what lpntk needs (Deno, on Linux a Vulkan driver, for the tests Chromium), then runs one of its tasks, or packs it.
# Deno goes into ./.deno if the machine has no fitting version; system packages (the driver, and npm if nothing
# else can fetch Deno) are installed with consent. What is there already is left alone, so that a second run is cheap.
set -eu
unset CDPATH
stood=$PWD
cd -- "$(dirname -- "$0")"

DENO_VERSION=2.9.6

usage() {
  cat <<'END'
Usage: sh setup.sh COMMAND [ARGUMENT...]

Commands:
  demo    plant wrong labels and copies among the digits that come with lpntk, and find them; results go to runs/demo
  test    check formatting, lint and types, and run all tests that take minutes together
  soak    run the other tests, each of which takes minutes: training and the paper's experiments on real data, and
          the kernels' tests on a second driver
  pack    pack lpntk with Deno, its modules and the Vulkan loader into one archive, for machines without network;
          ARGUMENT: the archive's file, compressed by its ending; default: lpntk-VERSION-linux-MACHINE.tar.xz
  help    show this text

All commands install what is missing first: Deno into ./.deno, and through apt (after asking, if there is a
terminal) a Vulkan driver and, for the tests, Chromium; pack needs neither driver nor Chromium. ARGUMENTs of demo,
test and soak are passed on to the task, for example --filter TEXT to the tests. Tests on real data are left out
unless LPNTK_DATA names the folder with it.
END
}

say() {
  printf 'setup.sh: %s\n' "$*" >&2
}

fail() {
  say "$*"
  exit 1
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# install_packages PACKAGE...: installs system packages through apt. A person at the terminal is asked first;
# without a terminal it goes ahead if that takes no password.
install_packages() {
  by_hand="as root, run: apt-get update && apt-get install -y --no-install-recommends $*"
  has apt-get || fail "Cannot install $*: found no apt-get; install them by hand, then run this again"
  terminal=no
  if [ -t 0 ] && [ -t 1 ]; then terminal=yes; fi

  if [ "$(id -u)" -eq 0 ]; then
    sudo=
  elif has sudo && { [ $terminal = yes ] || sudo -n true 2>/dev/null; }; then
    sudo=sudo
  else
    fail "Cannot install $*: not root, and no sudo without a password; $by_hand"
  fi

  if [ $terminal = yes ]; then
    printf 'Install the system packages %s with apt? [Y/n] ' "$*"
    read -r answer || answer=no
    case $answer in
      '' | [Yy]*) ;;
      *) fail "Stopped; to install them by hand, $by_hand" ;;
    esac
  else
    say "installing the system packages $* with apt"
  fi
  $sudo apt-get update
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# Succeeds if the Deno that PATH finds is the pinned version or a later 2.x.
deno_fits() {
  has deno || return 1
  case $(deno --version 2>/dev/null) in
    "deno 2.9."[6-9]* | "deno 2.9."[1-5][0-9]* | "deno 2."[1-9][0-9].*) ;;
    *) return 1 ;;
  esac
}

# Takes the binary from the package for this platform, which npm chose: npm's package `deno` is a wrapper that links
# the binary in an install script, which npm may be told not to run.
install_deno_from_npm() {
  npm install --prefix .deno --no-save --no-audit --no-fund --include=optional --ignore-scripts \
    "deno@$DENO_VERSION" >&2 || return 1
  for binary in .deno/node_modules/@deno/*/deno; do
    [ -f "$binary" ] || return 1
    chmod +x "$binary"
    ln -sf "../../$binary" .deno/bin/deno
  done
}

install_deno_from_release() {
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-gnu ;;
    Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-gnu ;;
    Darwin-x86_64) target=x86_64-apple-darwin ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    *) return 1 ;;
  esac
  url=https://github.com/denoland/deno/releases/download/v$DENO_VERSION/deno-$target.zip
  if has curl; then
    curl --fail --location --silent --show-error --output .deno/deno.zip "$url" || return 1
  else
    wget --quiet --output-document=.deno/deno.zip "$url" || return 1
  fi
  unzip -q -o .deno/deno.zip -d .deno/bin && rm .deno/deno.zip
}

install_deno() {
  say "installing Deno $DENO_VERSION into ./.deno"
  mkdir -p .deno/bin
  if has npm && install_deno_from_npm; then return; fi
  if { has curl || has wget; } && has unzip && install_deno_from_release; then return; fi
  has npm || install_packages npm ca-certificates
  install_deno_from_npm || fail "Cannot install Deno: npm failed; install Deno $DENO_VERSION by hand"
}

# Prints the name of the GPU, or of the CPU that stands in for one; fails if there is no adapter.
find_adapter() {
  # Vulkan alone: on Linux Deno would also take OpenGL, with which lpntk is not tested.
  [ "$(uname -s)" != Linux ] || export DENO_WEBGPU_BACKEND=vulkan
  deno eval --no-config '
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) Deno.exit(1);
    console.log(adapter.info.description || adapter.info.device || adapter.info.vendor);
  ' 2>/dev/null
}

# Says which cards stand idle when no adapter answers, or the CPU's does.
say_cards() {
  [ "$(uname -s)" = Linux ] || return 0
  sh setup/cards.sh | while read -r card; do say "Vulkan does not reach a card of this machine, $card"; done
}

ensure_adapter() {
  if adapter=$(find_adapter); then
    case $adapter in *llvmpipe* | *lavapipe* | *SwiftShader*) say_cards ;; esac
  else
    say_cards
    has apt-get || fail 'Cannot find a GPU: no adapter answers. On Linux install a Vulkan driver: that of your GPU,' \
      "or Mesa's, which also runs on the CPU (mesa-vulkan-drivers, vulkan-swrast, ...)"
    install_packages mesa-vulkan-drivers libvulkan1
    adapter=$(find_adapter) || fail 'Cannot find a GPU: no adapter answers, with Mesa installed; vulkaninfo (package vulkan-tools) shows why'
  fi
  say "Deno $(deno eval --no-config 'console.log(Deno.version.deno)'), adapter: $adapter"
}

# Installs a browser if there is none: the tests open the reports' pages in a real one.
ensure_browser() {
  for name in chromium chromium-browser google-chrome; do
    if has "$name"; then return; fi
  done
  install_packages chromium
}

case ${1-} in
  demo | test | soak) ;;
  pack) case $#${2-} in 1 | 2[!-]*) ;; *) usage >&2; exit 2 ;; esac ;;
  help | -h | --help) usage; exit ;;
  *) usage >&2; exit 2 ;;
esac

PATH=$PWD/.deno/bin:$PATH
export PATH
deno_fits || install_deno
hash -r # forgets the Deno that the shell found before
deno_fits || fail "Cannot use Deno: got $(deno --version 2>&1 | head -n 1), need $DENO_VERSION"

if [ "$1" = pack ]; then
  shift
  project=$PWD
  cd -- "$stood"
  exec sh "$project/setup/pack.sh" "$@"
fi

# Mesa's drivers complain on standard error if this folder does not exist.
if [ ! -d "${XDG_RUNTIME_DIR-}" ]; then
  XDG_RUNTIME_DIR=$PWD/.deno/runtime
  mkdir -p .deno
  [ -d "$XDG_RUNTIME_DIR" ] || mkdir -m 700 "$XDG_RUNTIME_DIR"
  export XDG_RUNTIME_DIR
fi
ensure_adapter

command=$1
shift
[ "$command" = demo ] || ensure_browser
case $command in
  demo) exec deno task demo "$@" ;;
  test) exec deno task ok "$@" ;;
  soak) exec deno task soak "$@" ;;
esac
