//! How many connections are let in at the same time, and which one goes when there are too many.
//!
//! Nobody who reaches the port can keep the members out:
//!
//! - Who has not greeted yet is one of [`GREETINGS_MAX`]. One more ends the oldest of them: a peer greets within
//!   milliseconds, whoever holds a connection without greeting has been there for longer.
//! - Who has greeted has a place with others of the same number, [`PER_NODE_MAX`] of them; all that are no members share
//!   [`STRANGERS_MAX`]. One more ends the oldest of these, which is the first to be of no use: a peer that connects again
//!   has given up its old connection.
//!
//! So there are at most some sixteen connections for each member, and two hundred for everybody else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Connections whose other end has not said who it is.
pub(super) const GREETINGS_MAX: usize = 128;

/// Connections of one member: four lanes, some of them perhaps twice for a moment.
const PER_NODE_MAX: usize = 16;

/// Connections of nodes that are no members: they join, or are told that they are not wanted.
const STRANGERS_MAX: usize = 64;

/// With whom a connection shares its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Greeting,
    Stranger,
    Member(u64),
}

impl Class {
    fn places(self) -> usize {
        match self {
            Class::Greeting => GREETINGS_MAX,
            Class::Stranger => STRANGERS_MAX,
            Class::Member(_) => PER_NODE_MAX,
        }
    }
}

/// The places.
#[derive(Default)]
pub(super) struct Places {
    /// Held for a look at one class, never over an await.
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// The number of the place that was taken last.
    last: u64,
    /// The oldest first, each with what tells its holder to leave; no class is empty.
    by_class: BTreeMap<Class, VecDeque<(u64, Arc<Notify>)>>,
}

/// A place, given back when dropped.
pub(super) struct Slot {
    /// Where it is given back.
    places: Arc<Places>,
    /// With whom it is shared.
    class: Class,
    /// Rises with each place that is taken.
    number: u64,
    /// Told when somebody else needs the place.
    end: Arc<Notify>,
}

impl Places {
    /// Takes a place; whoever had the oldest of its class loses it where there are too many.
    pub(super) fn take(self: &Arc<Self>, class: Class) -> Slot {
        let end = Arc::new(Notify::new());
        let mut taken = self.taken.lock();
        taken.last += 1;
        let number = taken.last;
        let of_class = taken.by_class.entry(class).or_default();
        of_class.push_back((number, Arc::clone(&end)));
        if of_class.len() > class.places()
            && let Some((_, oldest)) = of_class.pop_front()
        {
            oldest.notify_one();
        }
        debug_assert!(of_class.len() <= class.places(), "the places of a class are bounded");
        debug_assert_eq!(of_class.back().map(|(newest, _)| *newest), Some(number), "places are in the order of taking");
        Slot { places: Arc::clone(self), class, number, end }
    }
}

impl Slot {
    /// Resolves when somebody else needs the place.
    pub(super) async fn lost(&self) {
        self.end.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        if let Some(of_class) = taken.by_class.get_mut(&self.class) {
            of_class.retain(|(number, _)| *number != self.number);
            if of_class.is_empty() {
                taken.by_class.remove(&self.class);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn is_lost(place: &Slot) -> bool {
        place.lost().now_or_never().is_some()
    }

    #[test]
    fn one_too_many_ends_the_oldest_of_its_class_and_no_other() {
        let places = Arc::new(Places::default());
        let member = places.take(Class::Member(2));
        let first = places.take(Class::Greeting);
        let rest: Vec<Slot> = (1..GREETINGS_MAX).map(|_| places.take(Class::Greeting)).collect();
        assert!(!is_lost(&first), "there is room for all of them");
        let one_more = places.take(Class::Greeting);
        assert!(is_lost(&first));
        assert!(![&member, &rest[0], &one_more].into_iter().any(is_lost));
        drop(rest);
        drop(one_more);
        drop(first);
        drop(member);
        assert!(places.taken.lock().by_class.is_empty(), "places are given back");
    }
}
