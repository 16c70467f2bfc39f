#!/usr/bin/env bash
# Makes the Python wheel.
source "$(dirname "$0")/build.sh"
built "$(python3 packaging/python/wheel.py "$version" "manylinux_$(glibc | tr . _)_$machine" "$binary" "$packages")"
