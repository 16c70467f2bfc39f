//! The log on a simulated disk: power cuts at every byte and operation, rot of every byte, lost and shortened files.

mod damage;
mod files;
mod model;
mod random;
