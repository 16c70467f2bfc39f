use std::sync::{Arc, Barrier};

use super::*;

#[test]
fn of_two_who_race_one_gets_it() {
    const RACES: usize = 2_000;
    let tickets: Arc<Vec<Ticket>> = Arc::new((0..RACES).map(|_| Ticket::new(Command::Noop)).collect());
    let together = Arc::new(Barrier::new(2));
    let racer = || {
        let (tickets, together) = (Arc::clone(&tickets), Arc::clone(&together));
        std::thread::spawn(move || {
            let take = |ticket: &Ticket| {
                together.wait();
                ticket.take().is_some()
            };
            tickets.iter().map(take).collect::<Vec<bool>>()
        })
    };
    let [first, second] = [racer(), racer()].map(|thread| thread.join());
    let (first, second) = (first.expect("no panic"), second.expect("no panic"));
    assert!(first.iter().zip(&second).all(|(first, second)| first ^ second), "exactly one");
    assert!(tickets.iter().all(Ticket::is_taken));
}
