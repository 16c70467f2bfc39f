# Sourced by ./run and ./check: installs or names what is missing, and provides RocksDB as a prebuilt static library.
#
# RocksDB's C++ takes about 16 minutes on two quiet cores and cargo would build it again for every profile, so it is
# built once into a cache outside the clone, keyed by everything that changes its bytes, and linked from there.

say() { printf '%s\n' "$*" >&2; }

# need_packages NAME...: installs Debian packages as root or through sudo, or prints the line to run and stops.
need_packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    local run=()
    if [ "$(id -u)" = 0 ]; then
        run=()
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        run=(sudo)
    else
        say "Missing packages. Please run:  sudo apt-get install -y ${missing[*]}"
        exit 1
    fi
    say "Installing: ${missing[*]}"
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >&2
}

need_system() {
    if command -v dpkg-query >/dev/null 2>&1; then
        # A compiler for C and C++, and libclang, with which the bindings to RocksDB are generated.
        local clang=libclang-dev
        ls /usr/lib/llvm-*/lib/libclang*.so* >/dev/null 2>&1 && clang=
        need_packages gcc g++ libc6-dev $clang
    else
        for tool in cc c++; do
            command -v "$tool" >/dev/null 2>&1 || { say "Please install a C and C++ compiler and libclang."; exit 1; }
        done
    fi
    if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        export PATH
    fi
    if ! command -v cargo >/dev/null 2>&1; then
        say "Rust is missing (1.88 or newer). Please run:  curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y"
        exit 1
    fi
}

# Sets LIBCLANG_PATH when the library is not where the bindings' generator looks by itself.
find_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    local found
    found=$(ls -d /usr/lib/llvm-*/lib 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] && export LIBCLANG_PATH="$found"
    return 0
}

# Everything that decides RocksDB's bytes: version, features, flags, compiler, architecture.
rocksdb_key() {
    {
        grep -A1 '^name = "librocksdb-sys"' Cargo.lock
        grep '^rocksdb = ' Cargo.toml
        cat .cargo/config.toml
        c++ --version | head -n 1
        uname -m
        printf '%s' "${CXXFLAGS:-}${CFLAGS:-}"
    } | cksum | tr ' ' '-'
}

# provide_rocksdb: points ROCKSDB_LIB_DIR at the cached library, which is built first where it is missing.
provide_rocksdb() {
    if [ -n "${ROCKSDB_LIB_DIR:-}" ]; then
        export ROCKSDB_STATIC="${ROCKSDB_STATIC:-1}"
        return 0
    fi
    local cache key dir
    cache="${DYNAMO_SERVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dynamo-server}"
    key=$(rocksdb_key)
    dir="$cache/rocksdb-$key"
    if [ ! -f "$dir/librocksdb.a" ]; then
        say "Building RocksDB once into $dir (about 16 minutes on two quiet cores; later runs take it from there)."
        mkdir -p "$dir"
        CARGO_TARGET_DIR="$dir/build" cargo build --release --locked -p ordered-kv >&2
        local built
        built=$(find "$dir/build/release/build" -name librocksdb.a | head -n 1)
        [ -n "$built" ] || { say "RocksDB's build left no librocksdb.a"; exit 1; }
        # Into place in one step, so that an interrupted run leaves nothing half-written.
        cp "$built" "$dir/librocksdb.a.part" && mv "$dir/librocksdb.a.part" "$dir/librocksdb.a"
        rm -rf "$dir/build"
    fi
    export ROCKSDB_LIB_DIR="$dir" ROCKSDB_STATIC=1
}

# Clones share one target folder, so that dependencies are compiled once. Cargo takes what another clone compiled of our
# own packages for this one's, but tests know the folder of their scripts from when they were compiled, and that clone may
# be gone. So our packages are compiled anew when the clone is another one.
own_target() {
    local owner="$CARGO_TARGET_DIR/clone" manifest name
    if [ "$(cat "$owner" 2>/dev/null)" != "$PWD" ]; then
        for manifest in */Cargo.toml substitutes/*/Cargo.toml; do
            name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n 1)
            rm -rf "$CARGO_TARGET_DIR"/*/.fingerprint/"$name"-*
        done
        mkdir -p "$CARGO_TARGET_DIR"
        printf '%s' "$PWD" >"$owner"
    fi
}

set_up() {
    need_system
    find_libclang
    provide_rocksdb
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${DYNAMO_SERVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dynamo-server}/target}"
    own_target
}
