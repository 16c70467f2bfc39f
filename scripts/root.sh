# Sourced by scripts/bare-root.sh and packaging/try.sh: bare Debian roots in which something is tried.
#
# The roots are kept in the cache and come, by debootstrap, from the mirror that this machine's apt uses. Needs root, apt
# and mount namespaces.

cache="${DYNAMO_SERVER_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/dynamo-server}"
work="$cache/bare-root"

say() { printf '== bare root: %s\n' "$*"; }
fail() { say "FAILED: $*"; exit 1; }

# Ends the script, with words that say so, where there can be no roots.
need_roots() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1 || ! unshare --mount true 2>/dev/null; then
        say 'PASSED OVER: needs root, apt-get and mount namespaces'
        exit 0
    fi
}

# The root that all copies come from, made once a month.
base_root() {
    command -v debootstrap >/dev/null 2>&1 || {
        apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap
    }
    local suite sources mirror
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
    mirror=$(printf '%s\n' "$sources" | grep -Eo '^(URIs:|deb ).*' | grep -Eo '[a-z+]+://[^ ]+' | head -n 1)
    [ -n "$mirror" ] || fail 'this machine names no mirror of Debian'
    base="$work/$suite-$(date +%Y-%m)"
    if [ ! -e "$base/ready" ]; then
        say "debootstrap of $suite"
        rm -rf "$work"/*-????-??
        mkdir -p "$base"
        debootstrap --variant=minbase "$suite" "$base" "$mirror" >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log"; fail debootstrap; }
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
    root="$work/root-$1"
    rm -rf "$root"
    cp -a "$base" "$root"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
    mkdir -p "$root/opt/rust" "$root/srv/a clone" "$root/var/empty-disk"
    chroot "$root" useradd -m tester
}

# inside MOUNTS COMMAND: runs a shell command in the root, with processes and mounts that end with it. MOUNTS: words of
# `read-only` (the clone) and `small-disk` (/var/empty-disk).
inside() {
    mounts=$1
    export root toolchain mounts
    ${exec:-} unshare --mount --pid --fork --kill-child bash -euc '
        mount --make-rprivate /
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --bind "$toolchain" "$root/opt/rust"
        case $mounts in *read-only*)
            mount --bind "$root/srv/a clone" "$root/srv/a clone"
            mount -o remount,bind,ro "$root/srv/a clone" ;;
        esac
        case $mounts in *small-disk*) mount -t tmpfs -o size=256k,mode=1777 tmpfs "$root/var/empty-disk" ;; esac
        exec chroot "$root" /usr/bin/env -i PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            CARGO_NET_OFFLINE=true ${http_proxy:+"http_proxy=$http_proxy"} bash -uc "$1"
    ' - "$2"
}

# until_there LOG GLOB COMMAND...: runs the command until the file is there (then all of it is ended), or it ends.
until_there() {
    local log=$1 glob=$2 runner
    shift 2
    # `exec` makes the runner the process whose end ends all in the root.
    (exec=exec && "$@") >"$log" 2>&1 </dev/null &
    runner=$!
    while kill -0 "$runner" 2>/dev/null; do
        if compgen -G "$glob" >/dev/null; then
            kill "$runner" 2>/dev/null || true
            wait "$runner" 2>/dev/null || true
            return 0
        fi
        sleep 1
    done
    wait "$runner" || true
    compgen -G "$glob" >/dev/null && return 0
    tail -n 30 "$log"
    return 1
}
