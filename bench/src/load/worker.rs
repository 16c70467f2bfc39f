//! One connection that sends requests of a plan.

use std::cell::RefCell;
use std::io;

use super::Outcome;
use super::tally::Last;
use crate::client::{Connection, Endpoint};
use crate::machine::monotonic_ns;
use crate::stats::Random;
use crate::workload::{Lane, Plan, Shape};

/// Connections that failed this often in a row end the load: the server is gone.
const LOST_MAX: u32 = 20;

/// A connection with its own copy of the templates and its own random numbers.
pub struct Worker {
    endpoint: Endpoint,
    connection: Connection,
    shapes: Vec<Shape>,
    weight_total: u64,
    random: Random,
    lane: Lane,
    numbers: Vec<u64>,
    last: Option<Last>,
    lost_in_a_row: u32,
}

impl Worker {
    /// Connects. `lane` tells the load's connections apart.
    pub async fn open(endpoint: &Endpoint, plan: &Plan, lane: Lane, seed: u64) -> io::Result<Worker> {
        let random = Random::new(seed.wrapping_mul(0x1_0001).wrapping_add(lane.index));
        Ok(Worker {
            endpoint: endpoint.clone(),
            connection: Connection::open(endpoint).await?,
            shapes: plan.shapes.iter().map(|shape| shape.sent_by(plan.style.sender(lane.index))).collect(),
            weight_total: plan.shapes.iter().map(|shape| shape.weight).sum(),
            random,
            lane,
            numbers: Vec::new(),
            last: None,
            lost_in_a_row: 0,
        })
    }

    /// Sends one request that was due at `due_ns`, waits for the reply and counts both. Returns the time of the reply.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn step(&mut self, due_ns: u64, tally: &RefCell<Outcome>) -> io::Result<u64> {
        let at = self.choose();
        let shape = &mut self.shapes[at];
        self.numbers.clear();
        shape.draw.fill(&mut self.random, self.lane, &mut self.numbers);
        let request = shape.template.fill(&self.numbers);
        match self.connection.exchange(request).await {
            Ok(reply) => {
                let now = monotonic_ns();
                let mut tally = tally.borrow_mut();
                tally.latency.record(now.saturating_sub(due_ns));
                tally.body_bytes += reply.body.len() as u64;
                if shape.check.passes(&self.numbers, reply) {
                    tally.right += 1;
                    let last = self.last.get_or_insert_with(Last::default);
                    last.shape = at;
                    last.numbers.clone_from(&self.numbers);
                } else {
                    tally.count_wrong(shape.operation, reply.status, reply.body);
                }
                self.lost_in_a_row = 0;
                Ok(now)
            }
            Err(error) => {
                tally.borrow_mut().count_lost(shape.operation, &error);
                self.lost_in_a_row += 1;
                if self.lost_in_a_row > LOST_MAX {
                    return Err(error);
                }
                self.connection = Connection::open(&self.endpoint).await?;
                Ok(monotonic_ns())
            }
        }
    }

    /// The last request that was answered as expected.
    pub fn into_last(self) -> Option<Last> {
        self.last
    }

    fn choose(&mut self) -> usize {
        if self.shapes.len() == 1 {
            return 0;
        }
        let mut left = self.random.below(self.weight_total);
        self.shapes
            .iter()
            .position(|shape| {
                let chosen = left < shape.weight;
                left = left.saturating_sub(shape.weight);
                chosen
            })
            .expect("the weights sum to the bound")
    }
}
