//! One schedule each, to the letter: moments that chance meets too seldom.

mod compare;
mod damaged;
mod forwarded;
mod installation;
mod late_disk;
mod lease;
mod removed_while_joining;
mod replaced;
mod set_clocks;
mod snapshots;
