//! Clusters of real processes under injected faults.
//!
//! The processes are `dynamo-server-faults`: `cargo build -p dynamo-server --features fault-injection --bin
//! dynamo-server-faults` with the profile of the tests. `./check` builds it.

mod bad_input;
mod control;
mod disks;
mod dropped_packets;
mod faults;
mod figures;
mod overload;
mod poison;
mod power_cuts;
mod rules;
mod settings_and_stalls;
mod stopping;
