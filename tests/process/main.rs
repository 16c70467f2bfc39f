//! The real binary as a process: flags, health, clean stop, and what kill -9 leaves behind.

mod cluster;
mod commands;
mod descriptors;
mod documents;
mod flags;
mod kill;
mod layers;
mod logging;
mod manifests;
mod memory;
mod newcomers;
mod room;
