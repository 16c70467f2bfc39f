//! Which threads a server process has, besides the log's thread and the pool for what blocks.
//!
//! Every processor has an event loop for connections ([`EventLoops`]). The node itself (Raft, the sequencers, messages of
//! peers) is small work in many steps that wake one another. Where one thread can do it, on two processors or for one
//! group, it has one thread, and its wake-ups cost no thread switch. On a node that is alone Raft, the sequencers and the log have a
//! thread of their own, and wait there for a quick disk (`raft/log/wal.rs`), while the loops go on on other processors. Whatever
//! else the node does, new connections and signals are the main thread's, so that they go on when the disk stands still. Where there is one processor, and on a
//! member of a cluster, whose log has a thread, it shares it with the first loop. Where there are more processors and several groups, the node has workers, so that no thread is the
//! limit of all groups.

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::http::EventLoops;

/// Processors up to which one thread does the work of all groups.
const ONE_THREAD_MAX: usize = 2;

/// The threads of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threads {
    /// What the node runs on.
    node: NodeThreads,
    /// Loops with a thread that they share with nobody.
    loops: usize,
}

/// What the node runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeThreads {
    /// The thread of the first loop.
    Shared,
    /// The main thread, and one of its own for Raft.
    Own,
    /// Workers that share its tasks.
    Workers,
}

impl Threads {
    /// For so many processors and one group, or several, of a node that is alone or a member of a cluster.
    pub(crate) fn of(processors: usize, is_one_group: bool, is_alone: bool) -> Threads {
        let node = match is_one_group || processors <= ONE_THREAD_MAX {
            true if is_alone && processors > 1 => NodeThreads::Own,
            true => NodeThreads::Shared,
            false => NodeThreads::Workers,
        };
        let loops = if node == NodeThreads::Shared { processors.saturating_sub(1) } else { processors };
        Threads { node, loops }
    }

    /// The runtime of the node.
    ///
    /// # Errors
    /// When the system gives no thread or event queue.
    pub(crate) fn start_node(self) -> io::Result<Runtime> {
        let mut builder = match self.node {
            NodeThreads::Shared | NodeThreads::Own => Builder::new_current_thread(),
            NodeThreads::Workers => Builder::new_multi_thread(),
        };
        builder.enable_all().build()
    }

    /// The loops for connections. Called within the runtime of the node.
    ///
    /// # Errors
    /// As [`Threads::start_node`].
    pub(crate) fn start_loops(self) -> io::Result<EventLoops> {
        match self.node {
            NodeThreads::Shared => EventLoops::here_and(self.loops),
            NodeThreads::Own => EventLoops::beside_raft(self.loops),
            NodeThreads::Workers => EventLoops::apart(self.loops),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_has_a_loop() {
        let shared = |loops| Threads { node: NodeThreads::Shared, loops };
        assert_eq!([1, 2, 8].map(|processors| Threads::of(processors, true, false)), [shared(0), shared(1), shared(7)]);
        assert_eq!([1, 2].map(|processors| Threads::of(processors, false, false)), [shared(0), shared(1)]);
        let own = |loops| Threads { node: NodeThreads::Own, loops };
        assert_eq!([1, 2, 8].map(|processors| Threads::of(processors, true, true)), [shared(0), own(2), own(8)]);
        assert_eq!([1, 2].map(|processors| Threads::of(processors, false, true)), [shared(0), own(2)]);
        let workers = Threads { node: NodeThreads::Workers, loops: 8 };
        assert_eq!([true, false].map(|is_alone| Threads::of(8, false, is_alone)), [workers; 2]);
    }
}
