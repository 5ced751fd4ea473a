#!/bin/sh
# Prints what this machine needs to compute on its graphics cards: a line for each of NVIDIA, AMD and Intel, whose cards Vulkan can reach
# on Linux. Prints nothing if there is no card.
#
#   sh setup/cards.sh [ROOT]    ROOT: folder that holds proc, sys, dev and etc; default: /
set -eu
root=${1-}

# Prints the PCI vendors of display controllers (class 03) and of the kernel's DRM cards.
list_vendors() {
  for device in "$root"/sys/bus/pci/devices/*; do
    [ -r "$device/class" ] || continue
    case $(cat "$device/class") in 0x03*) cat "$device/vendor" ;; esac
  done
  for vendor in "$root"/sys/class/drm/card*/device/vendor; do
    [ ! -r "$vendor" ] || cat "$vendor"
  done
  # a container may see only the kernel module of an NVIDIA card
  [ ! -e "$root/proc/driver/nvidia/version" ] || echo 0x10de
}

in_container() {
  [ -e "$root/.dockerenv" ] || [ -e "$root/run/.containerenv" ] || [ -n "${KUBERNETES_SERVICE_HOST-}" ]
}

describe_nvidia() {
  if in_container; then
    echo "an NVIDIA card: its Vulkan driver comes from the host through the NVIDIA Container Toolkit, where the container has" \
      "NVIDIA_DRIVER_CAPABILITIES=all (docker run --gpus all --env NVIDIA_DRIVER_CAPABILITIES=all)"
    return
  fi
  case $(sed -n 's/^ID=//p' "$root/etc/os-release" 2>/dev/null) in
    *ubuntu*) echo "an NVIDIA card: its driver is installed by: sudo ubuntu-drivers install (package ubuntu-drivers-common);" \
      "beside nvidia-headless-NUMBER, the package libnvidia-gl-NUMBER has what Vulkan needs" ;;
    *) echo "an NVIDIA card: its driver is in Debian's non-free component, in the packages nvidia-driver and nvidia-vulkan-icd" ;;
  esac
}

# describe_mesa CARD MODULES
describe_mesa() {
  for node in "$root"/dev/dri/renderD*; do
    if [ -r "$node" ] && [ -w "$node" ]; then
      echo "$1: its driver is in the package mesa-vulkan-drivers; a card newer than this Mesa needs a newer one"
      return
    fi
    [ ! -e "$node" ] || {
      group=$(stat -c %G "$node")
      echo "$1: this user may not open ${node#"$root"}; run: sudo usermod -aG $group $(id -un), then log in again"
      return
    }
  done
  if in_container; then
    echo "$1: there is no /dev/dri/renderD* in this container; start it with --device /dev/dri"
  else
    echo "$1: there is no /dev/dri/renderD*; the kernel's module for it ($2) or the module's firmware is missing"
  fi
}

for vendor in $(list_vendors | sort -u); do
  case $vendor in
    0x10de) describe_nvidia ;;
    0x1002) describe_mesa "an AMD card" amdgpu ;;
    0x8086) describe_mesa "an Intel card" "i915 or xe" ;;
  esac
done
