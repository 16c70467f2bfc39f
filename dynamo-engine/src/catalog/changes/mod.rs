//! How tables change: the commands, the single steps they are made of, what is not done at once, and what is left to do.

mod change;
mod ddl_command;
pub mod pending;
mod rollout;
mod step;
mod work;

pub use ddl_command::DdlCommand;
pub use rollout::{Rollout, TablePhase};
pub use step::TableStep;
pub use work::{DdlWork, next_ddl_step};
