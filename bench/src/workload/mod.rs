//! What is sent, and what must come back.
//!
//! [`Kind`] lists the workloads with their goals; [`Dataset`] says what lies in the tables; [`Plan`] turns a kind into
//! request templates with a [`Check`] for every reply, and an [`After`] that reads back what was written. All items
//! carry their own key in their payload (`v-00000042`), so a reply with another item's content is noticed, and the
//! number of the slice that wrote them (`g-…`), so a write that was acknowledged and lost is noticed.
//!
//! All reads ask for consistency, all writes overwrite loaded items of the same size.

mod after;
mod check;
mod dataset;
mod draw;
mod kind;
mod load;
mod plan;
mod style;
mod walk;

pub use after::verify;
pub use check::Check;
pub use dataset::{Dataset, Table};
pub use draw::{Draw, Lane};
pub use kind::Kind;
pub use load::{load, load_partition, load_tables};
pub use plan::{Plan, Shape, calibration, get_from_tables, pages_at, put_calibration, put_into_tables};
pub use style::Style;
