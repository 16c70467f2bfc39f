# Sourced by ./run and ./check: what cargo needs and cannot bring by itself, installed or named.
#
# That is Rust, a C and a C++ compiler. RocksDB is provided by cargo's own build (vendor/bindgen), so every cargo
# command works without this script where those three are there. Whether they are there is tried, not looked up:
# packages and paths say little about what works.

say() { printf '%s\n' "$*" >&2; }

# works COMPILER LANGUAGE HEADER: whether it compiles and links a program.
works() {
    local scratch result=0
    if ! { scratch=$(mktemp -d) && head -c 65536 /dev/zero >"$scratch/room"; } 2>/dev/null; then
        rm -rf "${scratch:-}"
        say "Nothing can be written to ${TMPDIR:-/tmp}, where temporary files go: is that disk full?"
        exit 1
    fi
    printf '#include <%s>\nint main() { return 0; }\n' "$3" | "$1" -x "$2" - -o "$scratch/program" >/dev/null 2>&1 || result=1
    rm -rf "$scratch"
    return "$result"
}

# Installs the compilers as root or through sudo on Debian and its kin; elsewhere, and for other users, says what to do.
need_compilers() {
    if works "${CC:-cc}" c stdlib.h && works "${CXX:-c++}" c++ string; then
        return 0
    fi
    local packages='gcc g++ libc6-dev' run=()
    if ! command -v apt-get >/dev/null 2>&1; then
        say 'No working C and C++ compiler was found (cc and c++, or what CC and CXX name). Please install them; going on without.'
        return 0
    fi
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null 2>&1 || ! sudo -n true 2>/dev/null; then
            say "Missing: a C and a C++ compiler. Please run as root:  apt-get install -y $packages"
            exit 1
        fi
        run=(sudo)
    fi
    say "Installing: $packages"
    local install=("${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
    # An old list of packages is good enough where the network is gone.
    "${install[@]}" update >&2 || true
    # shellcheck disable=SC2086  # a list of words
    if ! "${install[@]}" install -y $packages >&2; then
        say "That failed. Please run:  apt-get install -y $packages"
        exit 1
    fi
}

# need_rust MANIFEST: puts cargo on the path, and refuses a Rust older than the manifest's rust-version.
need_rust() {
    # cron, containers and service managers may leave HOME unset.
    if [ -z "${HOME:-}" ]; then
        HOME=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6)
        export HOME="${HOME:-/}"
    fi
    local wanted found install="curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$1")
    if ! command -v cargo >/dev/null 2>&1; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        export PATH
    fi
    if ! found=$(cargo --version 2>/dev/null | cut -d' ' -f2) || [ -z "$found" ]; then
        say "Rust is missing ($wanted or newer). Please run:  $install"
        exit 1
    fi
    if [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
        say "Rust $found is too old ($wanted or newer is needed). Please run:  rustup update stable   or, without rustup:  $install"
        exit 1
    fi
}

# Checks of several clones share one target folder, so that dependencies are compiled once. Cargo takes what another clone
# compiled of our own packages for this one's, but tests know the folder of their scripts from when they were compiled, and
# that clone may be gone. So our packages are compiled anew when the clone is another one.
share_target() {
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
    local owner="$CARGO_TARGET_DIR/clone" manifest name
    if [ "$(cat "$owner" 2>/dev/null)" != "$PWD" ]; then
        for manifest in */Cargo.toml vendor/*/Cargo.toml; do
            name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n 1)
            rm -rf "$CARGO_TARGET_DIR"/*/.fingerprint/"$name"-*
        done
        mkdir -p "$CARGO_TARGET_DIR"
        printf '%s' "$PWD" >"$owner"
    fi
}

# set_up MANIFEST: everything, for what that manifest's package needs.
set_up() {
    need_rust "$1"
    need_compilers
    cache="${DYNAMO_SERVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dynamo-server}"
    # A clone that cannot be written keeps what is compiled in the cache.
    if [ -z "${CARGO_TARGET_DIR:-}" ] && ! { [ -w . ] && { [ ! -e target ] || [ -w target ]; }; }; then
        export CARGO_TARGET_DIR="$cache/target-of-read-only"
    fi
    # Where RocksDB's compilation says how far it is; cargo itself shows nothing of it.
    exec 9>&2
    export DYNAMO_SERVER_PROGRESS=9
}
