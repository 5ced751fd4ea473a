#!/bin/sh
# Runs lpntk where `sh setup.sh pack` was unpacked; it needs no network.
#
#   sh lpntk/run.sh COMMAND [ARGUMENT...]    a command of lpntk, such as doctor
#   sh lpntk/run.sh deno run ARGUMENT...     a script of yours, which imports "lpntk"
set -eu
unset CDPATH
here=$(cd -- "$(dirname -- "$0")" && pwd)

export PATH="$here/bin:$PATH" DENO_DIR="$here/deno_dir" DENO_NO_UPDATE_CHECK=1

# The Vulkan loader comes along for machines that have the driver of a card and no loader.
if ! PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1 '; then
  export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi

# Google's Kubernetes nodes mount NVIDIA's driver where no loader looks.
driver=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
if [ -z "${VK_DRIVER_FILES-}" ] && [ -f "$driver" ]; then export VK_DRIVER_FILES="$driver"; fi

if [ "${1-} ${2-}" = "deno run" ]; then
  shift 2
  exec deno run --frozen=false --config "$here/deno.json" "$@"
fi
exec deno task --quiet --config "$here/deno.json" lpntk "$@"
