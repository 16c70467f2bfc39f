# Sourced by scripts/bare-root.sh and packaging/try.sh: bare Debian roots in which something is tried.
#
# The roots are kept in the cache and come, by debootstrap, from the mirror that this machine's apt uses. Needs root, apt
# and namespaces.
#
# Two things are kept apart: what this machine cannot try (no namespaces, no mirror, no room), which is passed over and
# counted and ends with 0, and what was tried and failed, which ends with 1. A step that needs the mirror is judged by what
# apt said (`failed`).

source scripts/pass-over.sh
cache="${DYNAMO_SERVER_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/dynamo-server}"
work="$cache/bare-root"
# Copies of the base, of one script at a time: a second run of it waits.
roots="$work/roots-of-$(basename "$0" .sh)"

say() { printf '== bare root: %s\n' "$*"; }
fail() { say "FAILED: $*"; exit 1; }

# no_roots REASON: ends the script, with words that say so.
no_roots() {
    pass_over "bare Debian roots: $*"
    exit 0
}

# Free room in the cache that roots need: copies of the base, compilers, and what is compiled in them.
room_mib=6144

# Ends the script where there can be no roots. What `inside` does later is done here once.
need_roots() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        no_roots 'they need root and apt-get'
    fi
    local scratch
    scratch=$(mktemp -d)
    unshare --mount --pid --net --fork --kill-child bash -euc '
        mount --make-rprivate /
        mount -t tmpfs -o size=64k tmpfs "$1"
        mkdir "$1/a" "$1/b"
        mount -t proc proc "$1/a"
        mount --rbind /dev "$1/b"
        mount --bind / "$1/b"
        mount -o remount,bind,ro "$1/b"
        chroot / true
    ' - "$scratch" 2>/dev/null || { rmdir "$scratch"; no_roots 'this machine lets nobody make namespaces, mounts and roots'; }
    rmdir "$scratch"
    mkdir -p "$work"
    if [ "$(df --output=avail -m "$work" | tail -n 1)" -lt "$room_mib" ]; then
        no_roots "$work has less than $room_mib MiB of room"
    fi
}

# What apt says where the mirror, or the way to it, is at fault, and not what is tried.
of_the_mirror='Failed to fetch|Unable to fetch|Temporary failure resolving|Could not resolve|Could not connect|Connection failed|Connection timed out|Hash Sum mismatch|No space left on device'

# failed LOG WORDS: the step with this log did not end well.
failed() {
    local log=$1
    shift
    tail -n 30 "$log"
    ! grep -qE "$of_the_mirror" "$log" || no_roots "$* (the mirror of Debian did not deliver, or the disk is full)"
    fail "$*"
}

# The root that all copies come from, made once a month.
base_root() {
    mkdir -p "$roots"
    exec 8>"$roots.lock" && flock 8
    exec 7>"$work/lock" && flock 7
    # What is tried installs packages: where there are none to be had, nothing is found out.
    apt-get -qq -o APT::Update::Error-Mode=any update >/dev/null 2>&1 || no_roots 'the mirror of Debian does not answer'
    make_base
    exec 7>&-
}

make_base() {
    if ! command -v debootstrap >/dev/null 2>&1 || ! command -v ip >/dev/null 2>&1; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap iproute2 >/dev/null ||
            no_roots 'debootstrap and iproute2 cannot be installed'
    fi
    local suite sources mirror
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
    mirror=$(printf '%s\n' "$sources" | grep -Eo '^(URIs:|deb ).*' | grep -Eo '[a-z+]+://[^ ]+' | head -n 1)
    [ -n "$mirror" ] || no_roots 'this machine names no mirror of Debian'
    base="$work/$suite-$(date +%Y-%m)"
    if [ ! -e "$base/ready" ]; then
        say "debootstrap of $suite"
        rm -rf "$work"/*-????-??
        mkdir -p "$base"
        # In the locale C: it searches the mirror's list, and in others that takes a minute.
        LC_ALL=C debootstrap --variant=minbase "$suite" "$base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
            { tail -n 20 "$work/debootstrap.log"; no_roots 'debootstrap does not get through'; }
        rm -rf "$base/etc/apt/sources.list" "$base/etc/apt/sources.list.d"
        cp -a /etc/apt/sources.list.d "$base/etc/apt/"
        [ ! -e /etc/apt/sources.list ] || cp /etc/apt/sources.list "$base/etc/apt/"
        cp -a /etc/apt/apt.conf.d/. "$base/etc/apt/apt.conf.d/"
        [ ! -d /etc/ssl/certs ] || { mkdir -p "$base/etc/ssl" && cp -aL /etc/ssl/certs "$base/etc/ssl/"; }
        touch "$base/ready"
    fi
}

# new_root NAME: a copy of the base with a user, in $root.
new_root() {
    root="$roots/$1"
    rm -rf "$root"
    cp -a "$base" "$root"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
    mkdir -p "$root/opt/rust" "$root/srv/a clone" "$root/var/full-disk"
    chroot "$root" useradd -m tester
}

# inside HOW COMMAND: runs a shell command in the root, with processes and mounts that end with it. HOW: words of
# `read-only` (the clone), `full-disk` (at /var/full-disk) and `no-network` (but loopback).
inside() {
    how_inside=$1
    local network=(CARGO_NET_OFFLINE=true) apart=()
    # There cargo must find out by itself that it needs no network.
    case $1 in *no-network*) network=() apart=(--net) ;; esac
    export root toolchain how_inside
    ${exec:-} unshare --mount --pid --fork --kill-child "${apart[@]}" bash -euc '
        case $how_inside in *no-network*) ip link set lo up ;; esac
        mount --make-rprivate /
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --bind "$toolchain" "$root/opt/rust"
        case $how_inside in *read-only*)
            mount --bind "$root/srv/a clone" "$root/srv/a clone"
            mount -o remount,bind,ro "$root/srv/a clone" ;;
        esac
        case $how_inside in *full-disk*)
            mount -t tmpfs -o size=8k,mode=1777 tmpfs "$root/var/full-disk"
            head -c 8192 /dev/zero >"$root/var/full-disk/everything" ;;
        esac
        exec chroot "$root" /usr/bin/env -i PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            ${http_proxy:+"http_proxy=$http_proxy"} "${@:2}" bash -uc "$1"
    ' - "$2" "${network[@]}"
}

# patient SECONDS COMMAND...: runs the command every second until it ends with 0; 1 after so many seconds of a machine that
# does nothing else. A second during which others are at work counts for less.
patient() {
    local left=$((100 * $1))
    until "${@:2}"; do
        [ "$left" -gt 0 ] || { echo "gave up after what $1 s are on a quiet machine"; return 1; }
        left=$((left - $(awk -v cores="$(nproc)" '{ busy = $1 / cores; print int(100 / (busy > 1 ? busy : 1)) }' /proc/loadavg)))
        sleep 1
    done
}

# until_there LOG GLOB COMMAND...: runs the command until the file is there (then all of it is ended), or it ends.
until_there() {
    local log=$1 glob=$2 runner
    shift 2
    # `exec` makes the runner the process whose end ends all in the root.
    (exec=exec && "$@") >"$log" 2>&1 </dev/null &
    runner=$!
    is_over() { ! kill -0 "$runner" 2>/dev/null || compgen -G "$glob" >/dev/null; }
    patient 1200 is_over >>"$log" || true
    # unshare blocks the signals that ask for an end.
    kill -KILL "$runner" 2>/dev/null || true
    wait "$runner" 2>/dev/null || true
    compgen -G "$glob" >/dev/null && return 0
    tail -n 30 "$log"
    return 1
}
