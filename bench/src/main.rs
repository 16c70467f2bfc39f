//! The `bench` binary; see the library.

fn main() -> std::process::ExitCode {
    bench::run()
}
