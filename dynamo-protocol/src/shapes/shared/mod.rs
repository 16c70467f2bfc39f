//! The shapes themselves, by what they belong to.

mod attribute_value;
mod enums;
mod item;
mod statement;
mod stream;
mod table;

pub use enums::*;
pub use item::*;
pub use statement::*;
pub use stream::*;
pub use table::*;
