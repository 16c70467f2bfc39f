//! The `dynamo-server` binary; all of it is [`dynamo_server::process`], but for the allocator.

#[global_allocator]
static ALLOCATOR: dynamo_server::Allocator = dynamo_server::Allocator;

fn main() -> std::process::ExitCode {
    dynamo_server::process::run()
}
