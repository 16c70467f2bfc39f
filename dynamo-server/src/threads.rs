//! Which threads a server process has, besides the log's thread and the pool for what blocks.
//!
//! Every processor has an event loop for connections ([`EventLoops`]). The node itself (Raft, the sequencers, messages of
//! peers) is small work in many steps that wake one another. Where one thread can do it, on two processors or for one
//! group, it shares the first loop: its wake-ups then cost no thread switch. Where there are more processors and several
//! groups, it has workers of its own, so that no loop is the limit of all groups.

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::http::EventLoops;

/// Processors up to which one thread does the work of all groups.
const SHARED_MAX: usize = 2;

/// The threads of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threads {
    /// Whether the node runs on the first loop rather than on workers of its own.
    node_on_a_loop: bool,
    /// Loops with a thread that they share with nobody.
    loops: usize,
}

impl Threads {
    /// For so many processors and one group, or several.
    pub(crate) fn of(processors: usize, is_one_group: bool) -> Threads {
        let node_on_a_loop = is_one_group || processors <= SHARED_MAX;
        Threads { node_on_a_loop, loops: if node_on_a_loop { processors.saturating_sub(1) } else { processors } }
    }

    /// The runtime of the node.
    ///
    /// # Errors
    /// When the system gives no thread or event queue.
    pub(crate) fn start_node(self) -> io::Result<Runtime> {
        let mut builder = if self.node_on_a_loop { Builder::new_current_thread() } else { Builder::new_multi_thread() };
        builder.enable_all().build()
    }

    /// The loops for connections. Called within the runtime of the node.
    ///
    /// # Errors
    /// As [`Threads::start_node`].
    pub(crate) fn start_loops(self) -> io::Result<EventLoops> {
        if self.node_on_a_loop { EventLoops::here_and(self.loops) } else { EventLoops::apart(self.loops) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_has_a_loop() {
        let shared = |loops| Threads { node_on_a_loop: true, loops };
        assert_eq!([1, 2, 8].map(|processors| Threads::of(processors, true)), [shared(0), shared(1), shared(7)]);
        assert_eq!([1, 2].map(|processors| Threads::of(processors, false)), [shared(0), shared(1)]);
        assert_eq!(Threads::of(8, false), Threads { node_on_a_loop: false, loops: 8 });
    }
}
