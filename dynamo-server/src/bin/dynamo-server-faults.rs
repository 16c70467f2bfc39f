//! The server for tests that inject faults into it: the same as `dynamo-server`, built with the feature `fault-injection`, which
//! opens it to scripts of faults ([`dynamo_server::faults`]). Never for data that anybody wants to keep.

#[global_allocator]
static ALLOCATOR: dynamo_server::Allocator = dynamo_server::Allocator;

fn main() -> std::process::ExitCode {
    dynamo_server::process::run()
}
