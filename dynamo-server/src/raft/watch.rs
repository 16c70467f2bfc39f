//! openraft's watch channels: a value, how often it has changed, and who waits for the next change.
//!
//! openraft sends on a dozen of them for each entry, metrics above all, and on most of them nobody waits. tokio's channel
//! spreads those who wait over eight lists, each with a lock of its own, and a send goes through all of them. Here a send
//! takes one lock; who waits stands beside the value.
//!
//! A receiver waits in one place at a time, since waiting needs it whole: its waker stands under its number until the next
//! change, or until the receiver is dropped. Values and wakers are let go outside of the lock, as they may own the other
//! end.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use openraft::async_runtime::watch::{RecvError, SendError, Watch, WatchReceiver, WatchSender};
use openraft::{OptionalSend, OptionalSync};
use parking_lot::{MappedRwLockReadGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The kind of channel.
pub struct Channels;

/// What both ends share.
struct Channel<T>(RwLock<State<T>>);

struct State<T> {
    /// The last value that was sent.
    value: T,
    /// How often it has changed.
    version: u64,
    /// Whether every sender is gone.
    is_closed: bool,
    /// How many receivers there are.
    receivers: usize,
    /// The number of the next receiver.
    next_number: u64,
    /// Those that wait, by their numbers.
    waiting: Vec<(u64, Waker)>,
}

/// Those to be woken once the lock is given back: the first, and the others if there are any. Most often there is one at
/// the most, and the list keeps its room.
type ToWake = (Option<(u64, Waker)>, Vec<(u64, Waker)>);

impl<T> State<T> {
    fn take_waiting(&mut self) -> ToWake {
        let first = self.waiting.pop();
        let others = if self.waiting.is_empty() { Vec::new() } else { std::mem::take(&mut self.waiting) };
        (first, others)
    }

    fn take_waker(&mut self, number: u64) -> Option<(u64, Waker)> {
        let place = self.waiting.iter().position(|(of, _)| *of == number)?;
        Some(self.waiting.swap_remove(place))
    }

    /// The number of one more receiver.
    fn enter(&mut self) -> u64 {
        self.receivers += 1;
        self.next_number += 1;
        self.next_number
    }
}

impl<T> Channel<T> {
    fn borrow(&self) -> MappedRwLockReadGuard<'_, T> {
        RwLockReadGuard::map(self.0.read(), |state| &state.value)
    }

    /// Counts a change that was made under the lock, and wakes who waits for it.
    fn changed(mut state: RwLockWriteGuard<'_, State<T>>) {
        state.version += 1;
        Channel::wake(state);
    }

    fn wake(mut state: RwLockWriteGuard<'_, State<T>>) {
        let (first, others) = state.take_waiting();
        drop(state);
        first.into_iter().chain(others).for_each(|(_, waker)| waker.wake());
    }
}

/// The sending end.
pub struct Sender<T>(Arc<Sending<T>>);

/// What all clones of a sender hold: the channel is closed with the last of them.
struct Sending<T>(Arc<Channel<T>>);

impl<T> Drop for Sending<T> {
    fn drop(&mut self) {
        let mut state = self.0.0.write();
        state.is_closed = true;
        Channel::wake(state);
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender(Arc::clone(&self.0))
    }
}

/// A receiving end.
pub struct Receiver<T> {
    /// The channel.
    channel: Arc<Channel<T>>,
    /// Of this receiver.
    number: u64,
    /// The last version that it has seen.
    seen: u64,
}

impl<T> Receiver<T> {
    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), RecvError>> {
        let mut state = self.channel.0.write();
        if state.version != self.seen {
            self.seen = state.version;
            return Poll::Ready(Ok(()));
        }
        if state.is_closed {
            return Poll::Ready(Err(RecvError(())));
        }
        let before = state.take_waker(self.number);
        state.waiting.push((self.number, context.waker().clone()));
        debug_assert!(state.waiting.len() <= state.receivers, "a receiver waits in one place at a time");
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        let number = self.channel.0.write().enter();
        Receiver { channel: Arc::clone(&self.channel), number, seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.channel.0.write();
        state.receivers -= 1;
        let waker = state.take_waker(self.number);
        drop(state);
        drop(waker);
    }
}

impl Watch for Channels {
    type Sender<T: OptionalSend + OptionalSync> = Sender<T>;
    type Receiver<T: OptionalSend + OptionalSync> = Receiver<T>;
    type Ref<'a, T: OptionalSend + 'a> = MappedRwLockReadGuard<'a, T>;

    fn channel<T: OptionalSend + OptionalSync>(value: T) -> (Sender<T>, Receiver<T>) {
        let state = State { value, version: 0, is_closed: false, receivers: 0, next_number: 0, waiting: Vec::new() };
        let sender = Sender(Arc::new(Sending(Arc::new(Channel(RwLock::new(state))))));
        let receiver = sender.subscribe();
        (sender, receiver)
    }
}

impl<T: OptionalSend + OptionalSync> WatchSender<Channels, T> for Sender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut state = self.0.0.0.write();
        if state.receivers == 0 {
            return Err(SendError(value));
        }
        let before = std::mem::replace(&mut state.value, value);
        Channel::changed(state);
        drop(before);
        Ok(())
    }

    fn send_if_modified<F: FnOnce(&mut T) -> bool>(&self, modify: F) -> bool {
        let mut state = self.0.0.0.write();
        let is_modified = modify(&mut state.value);
        if is_modified {
            Channel::changed(state);
        }
        is_modified
    }

    fn borrow_watched(&self) -> MappedRwLockReadGuard<'_, T> {
        self.0.0.borrow()
    }

    fn subscribe(&self) -> Receiver<T> {
        let channel = Arc::clone(&self.0.0);
        let (number, seen) = {
            let mut state = channel.0.write();
            (state.enter(), state.version)
        };
        Receiver { channel, number, seen }
    }
}

impl<T: OptionalSend + OptionalSync> WatchReceiver<Channels, T> for Receiver<T> {
    async fn changed(&mut self) -> Result<(), RecvError> {
        poll_fn(|context| self.poll_changed(context)).await
    }

    fn borrow_watched(&self) -> MappedRwLockReadGuard<'_, T> {
        self.channel.borrow()
    }

    fn borrow_and_update(&mut self) -> MappedRwLockReadGuard<'_, T> {
        let state = self.channel.0.read();
        self.seen = state.version;
        RwLockReadGuard::map(state, |state| &state.value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use futures::FutureExt as _;
    use futures::task::noop_waker;

    use super::*;

    /// Whether a receiver that waits is woken by what is done.
    fn is_woken_by(act: impl FnOnce(), receiver: &mut Receiver<u32>) -> bool {
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        let waits = receiver.poll_changed(&mut Context::from_waker(&waker)).is_pending();
        act();
        waits && flag.0.load(Ordering::SeqCst)
    }

    #[test]
    fn a_change_is_seen_once_by_each_receiver() {
        let (sender, mut first) = Channels::channel(1);
        assert!(first.changed().now_or_never().is_none(), "the first value is no change");
        let mut second = first.clone();
        sender.send(2).unwrap();
        sender.send(3).unwrap();
        for receiver in [&mut first, &mut second] {
            assert_eq!(receiver.changed().now_or_never(), Some(Ok(())));
            assert_eq!(*receiver.borrow_watched(), 3, "the last one counts");
            assert!(receiver.changed().now_or_never().is_none());
        }
        assert!(!sender.send_if_modified(|value| *value == 0));
        assert!(first.changed().now_or_never().is_none(), "nothing was modified");
        assert!(sender.send_if_greater(4) && !sender.send_if_greater(4));
        assert_eq!(*first.borrow_and_update(), 4);
        assert!(first.changed().now_or_never().is_none(), "it was updated");
        assert_eq!(second.changed().now_or_never(), Some(Ok(())));
        assert!(sender.subscribe().changed().now_or_never().is_none(), "what was sent before is no change");
    }

    #[test]
    fn who_waits_is_woken_by_a_change_and_by_the_end() {
        let (sender, mut receiver) = Channels::channel(1);
        assert!(is_woken_by(|| sender.send(2).unwrap(), &mut receiver));
        assert_eq!(receiver.changed().now_or_never(), Some(Ok(())));
        assert!(!is_woken_by(|| assert!(!sender.send_if_modified(|_| false)), &mut receiver));
        let clone = sender.clone();
        assert!(!is_woken_by(|| drop(sender), &mut receiver), "a sender is left");
        assert!(is_woken_by(|| drop(clone), &mut receiver));
        assert_eq!(receiver.changed().now_or_never(), Some(Err(RecvError(()))));
        assert_eq!(*receiver.borrow_watched(), 2);
    }

    #[test]
    fn a_change_before_the_end_is_seen() {
        let (sender, mut receiver) = Channels::channel(1);
        sender.send(2).unwrap();
        drop(sender);
        assert_eq!(receiver.changed().now_or_never(), Some(Ok(())));
        assert_eq!(receiver.changed().now_or_never(), Some(Err(RecvError(()))));
    }

    #[test]
    fn a_receiver_leaves_one_waker_at_the_most_and_none_when_it_is_gone() {
        let (sender, mut receiver) = Channels::channel(1);
        let mut other = receiver.clone();
        let noop = noop_waker();
        for _ in 0..3 {
            assert!(receiver.poll_changed(&mut Context::from_waker(&noop)).is_pending());
            assert!(other.poll_changed(&mut Context::from_waker(&noop)).is_pending());
        }
        let waiting = || sender.0.0.0.read().waiting.len();
        assert_eq!(waiting(), 2);
        drop(other);
        assert_eq!(waiting(), 1);
        assert!(is_woken_by(|| sender.send(2).unwrap(), &mut receiver), "the last waker counts");
        assert_eq!(waiting(), 0);
    }

    #[test]
    fn without_a_receiver_a_value_comes_back_and_stays_out() {
        let (sender, receiver) = Channels::channel(1);
        drop(receiver);
        assert_eq!(sender.send(2), Err(SendError(2)));
        assert_eq!(*sender.borrow_watched(), 1);
        assert!(sender.send_if_modified(|value| std::mem::replace(value, 3) == 1), "this one needs nobody");
        assert_eq!(*sender.subscribe().borrow_watched(), 3);
    }

    #[test]
    fn a_value_may_own_an_end_of_the_channel() {
        type Nested = Option<Arc<parking_lot::Mutex<Option<Box<dyn Send>>>>>;
        let (sender, mut receiver) = Channels::channel(None);
        let owner: Nested = Some(Arc::new(parking_lot::Mutex::new(Some(Box::new(sender.subscribe())))));
        assert!(sender.send(owner).is_ok());
        assert!(receiver.poll_changed(&mut Context::from_waker(&noop_waker())).is_ready());
        assert_eq!(sender.0.0.0.read().receivers, 2);
        assert!(sender.send(None).is_ok(), "the value before takes a receiver with it");
        assert_eq!(sender.0.0.0.read().receivers, 1);
    }
}
