#!/bin/sh
# Runs lpntk from the unpacked archive of `sh setup.sh pack`, without network.
#
#   sh lpntk/run.sh COMMAND [ARGUMENT...]    a command of lpntk, such as doctor
#   sh lpntk/run.sh deno run ARGUMENT...     a script of yours that imports "lpntk"
set -eu
unset CDPATH
here=$(cd -- "$(dirname -- "$0")" && pwd)

export PATH="$here/bin:$PATH" DENO_DIR="$here/deno_dir" DENO_NO_UPDATE_CHECK=1

# The archive's Vulkan loader serves machines that have the driver of a card but no loader.
if ! PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1 '; then
  export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi

# Google's Kubernetes nodes mount NVIDIA's driver in a folder that no loader searches.
driver=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
if [ -z "${VK_DRIVER_FILES-}" ] && [ -f "$driver" ]; then export VK_DRIVER_FILES="$driver"; fi

if [ "${1-} ${2-}" = "deno run" ]; then
  shift 2
  exec deno run --frozen=false --config "$here/deno.json" "$@"
fi
exec deno task --quiet --config "$here/deno.json" lpntk "$@"
