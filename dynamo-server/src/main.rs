//! The `dynamo-server` binary; all of it is [`dynamo_server::process`], but for the allocator.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    dynamo_server::process::run()
}
