//! Answers for the requests of another event loop, those of one entry together.
//!
//! To wake a task of another loop is a write to that loop's event descriptor, for each task anew and whether the loop sleeps
//! or not. An entry answers several requests of each loop. So what is for another loop goes into that loop's mailbox, whose
//! task is woken once and hands all of it over there, where waking takes no system call.
//!
//! A thread has a mailbox if it has opened one, as the loops do that serve connections and nothing else. On others answers
//! go their way directly.
//!
//! The task of a mailbox also keeps a timer, which does nothing. Where a loop has none that is due before a request's time is
//! over, that request's own is the next one, and tokio has the loop look at its timers by the same kind of write, to itself.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use futures::future::{Either, select};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::ShardError;
use crate::env::{Env as _, TokioEnv};

/// Less than a request's time.
const TIMER: Duration = Duration::from_secs(1);

/// What came of a command.
type Answer = Result<Outcome, ShardError>;

thread_local! {
    static MAILBOX: RefCell<Option<Arc<Mailbox>>> = const { RefCell::new(None) };
}

/// The mailbox of a thread. Its letters are bounded by the requests of that thread: each waits for one answer at a time.
#[derive(Default)]
pub struct Mailbox {
    /// What has come, and for whom.
    letters: Mutex<Vec<(oneshot::Sender<Answer>, Answer)>>,
    /// Tells the task.
    arrived: Notify,
}

impl Mailbox {
    /// Opens the mailbox of the calling thread. The future, which never ends, empties it, and must run on this thread.
    pub fn open() -> impl Future<Output = ()> + Send {
        let mailbox = Arc::new(Mailbox::default());
        MAILBOX.set(Some(Arc::clone(&mailbox)));
        async move {
            let mut timer = pin!(TokioEnv::sleep(TIMER));
            loop {
                match select(pin!(mailbox.arrived.notified()), timer.as_mut()).await {
                    Either::Left(_) => mailbox.hand_over(),
                    Either::Right(_) => timer.set(TokioEnv::sleep(TIMER)),
                }
            }
        }
    }

    fn hand_over(&self) {
        let letters = std::mem::take(&mut *self.letters.lock());
        // A request whose time was over has gone; the write happened all the same.
        letters.into_iter().for_each(|(request, answer)| drop(request.send(answer)));
    }
}

/// Where the answer of a request goes.
pub(super) struct AnswerSender {
    /// To the request.
    request: oneshot::Sender<Answer>,
    /// Of the thread that the request is on, if it has one.
    mailbox: Option<Arc<Mailbox>>,
}

/// A mailbox with something in it, of which its task has not been told.
#[must_use]
pub(super) struct Filled(Arc<Mailbox>);

impl AnswerSender {
    /// The way to a request on the calling thread.
    pub(super) fn new() -> (AnswerSender, oneshot::Receiver<Answer>) {
        let (request, answer) = oneshot::channel();
        (AnswerSender { request, mailbox: MAILBOX.with_borrow(Clone::clone) }, answer)
    }

    /// Sends the answer, or leaves it in a mailbox, of which the task is to be told once all is sent.
    pub(super) fn send(self, answer: Answer) -> Option<Filled> {
        let AnswerSender { request, mailbox } = self;
        let Some(mailbox) = mailbox else {
            // A request whose time was over has gone; the write happened all the same.
            drop(request.send(answer));
            return None;
        };
        let mut letters = mailbox.letters.lock();
        letters.push((request, answer));
        let is_first = letters.len() == 1;
        drop(letters);
        is_first.then_some(Filled(mailbox))
    }

    /// Sends each request its answer.
    pub(super) fn send_all(answers: impl Iterator<Item = (AnswerSender, Answer)>) {
        let filled: Vec<Filled> = answers.filter_map(|(request, answer)| request.send(answer)).collect();
        filled.into_iter().for_each(|filled| filled.0.arrived.notify_one());
    }

    /// Sends each request the same error.
    pub(super) fn refuse_all(requests: Vec<AnswerSender>, error: &ShardError) {
        AnswerSender::send_all(requests.into_iter().map(|request| (request, Err(error.clone()))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(requests: Vec<AnswerSender>) {
        AnswerSender::send_all(requests.into_iter().map(|request| (request, Ok(Outcome::Done))));
    }

    /// Requests on a thread with a mailbox, that mailbox, and its task, which nobody runs.
    fn requests(count: usize) -> (Vec<AnswerSender>, Vec<oneshot::Receiver<Answer>>, Arc<Mailbox>) {
        let on_a_thread = move || {
            drop(Mailbox::open());
            let (requests, answers) = (0..count).map(|_| AnswerSender::new()).unzip();
            (requests, answers, MAILBOX.with_borrow(Clone::clone).expect("it was opened"))
        };
        std::thread::spawn(on_a_thread).join().expect("it ran")
    }

    #[test]
    fn the_answers_of_an_entry_fill_a_mailbox_once() {
        let (requests, answers, mailbox) = requests(3);
        let filled = requests.into_iter().filter_map(|request| request.send(Ok(Outcome::Done))).count();
        assert_eq!(filled, 1, "the task is told once");
        let mut waiting = answers;
        assert!(waiting.iter_mut().all(|answer| answer.try_recv().is_err()), "nothing is handed over elsewhere");
        mailbox.hand_over();
        assert!(waiting.iter_mut().all(|answer| answer.try_recv() == Ok(Ok(Outcome::Done))));
        let (request, _gone) = AnswerSender::new();
        assert!(request.send(Ok(Outcome::Done)).is_none(), "a thread without a mailbox");
    }

    #[test]
    fn an_emptied_mailbox_is_filled_again() {
        let (mut requests, answers, mailbox) = requests(2);
        done(vec![requests.remove(0)]);
        mailbox.hand_over();
        assert_eq!(requests.into_iter().filter_map(|request| request.send(Ok(Outcome::Done))).count(), 1);
        mailbox.hand_over();
        assert!(answers.into_iter().all(|mut answer| answer.try_recv() == Ok(Ok(Outcome::Done))));
    }

    #[tokio::test]
    async fn answers_from_another_thread_arrive() {
        let emptied = tokio::spawn(Mailbox::open());
        for count in [1, 5] {
            let (requests, answers): (Vec<_>, Vec<_>) = (0..count).map(|_| AnswerSender::new()).unzip();
            let sent = std::thread::spawn(move || done(requests));
            for answer in answers {
                assert_eq!(answer.await, Ok(Ok(Outcome::Done)));
            }
            sent.join().expect("it ran");
        }
        emptied.abort();
        MAILBOX.set(None);
    }
}
