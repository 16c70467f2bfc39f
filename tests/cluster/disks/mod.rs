//! Disks that are damaged, full, or lost.

mod damaged_blocks;
mod full_disk;
mod identity;
