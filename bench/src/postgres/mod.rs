//! PostgreSQL as a neighbour: what a user might pick instead, on the same disk in the same minutes.
//!
//! A throwaway cluster of the installed PostgreSQL, in the run's folder, with its defaults: every commit is synced before
//! its answer. One table of rows as large as the items, `(pk text primary key, n bigint, payload text)`; as many
//! connections as the closed loop has, kept open; prepared statements, values in binary. GetItem's neighbour is a SELECT
//! by key, PutItem's an upsert by key. Other workloads have none. Its processor time is that of all its processes.

mod connection;
mod process;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use self::connection::Connection;
pub use self::process::{Server, installed};
use crate::client::letters;
use crate::error::{Context, Error, Result};
use crate::load::{Closed, Outcome};
use crate::machine::monotonic_ns;
use crate::stats::{Random, mix};
use crate::workload::{Dataset, Kind};

const CREATE: &str = "CREATE TABLE bench_items (pk text PRIMARY KEY, n bigint NOT NULL, payload text NOT NULL)";
const SELECT: &str = "SELECT pk, n, payload FROM bench_items WHERE pk = $1";
const UPSERT: &str = "INSERT INTO bench_items (pk, n, payload) VALUES ($1, $2, $3) \
                      ON CONFLICT (pk) DO UPDATE SET n = EXCLUDED.n, payload = EXCLUDED.payload";
/// What a row holds besides the payload's letters, as DynamoDB would bill it: names, key, counter and stamps.
const OTHERS_BYTES: u64 = 2 + 13 + 1 + 2 + 7 + 22;

/// A running PostgreSQL with connections to it.
pub struct Postgres {
    server: Server,
    runtime: Runtime,
    connections: RefCell<Vec<Connection>>,
}

impl Postgres {
    /// Starts the one whose programs lie in `programs`, in a folder of its own below `folder`.
    ///
    /// # Errors
    /// When it does not start, or does not let us in.
    pub fn start(programs: &Path, folder: &Path, connections: u64) -> Result<Postgres> {
        let server = Server::start(programs, folder)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let opened = runtime.block_on(async {
            let mut opened = vec![Connection::open(server.port()).await?];
            opened[0].execute(CREATE).await?;
            while (opened.len() as u64) < connections {
                opened.push(Connection::open(server.port()).await?);
            }
            for connection in &mut opened {
                connection.prepare("get", SELECT).await?;
                connection.prepare("put", UPSERT).await?;
            }
            Ok::<_, Error>(opened)
        });
        Ok(Postgres { server, runtime, connections: RefCell::new(opened?) })
    }

    /// Its port on the loopback interface.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Processor time that its processes used so far, ended ones apart; ours are kept open.
    pub fn cpu_ns(&self) -> Option<u64> {
        self.server.cpu_ns()
    }

    /// Fills the table.
    ///
    /// # Errors
    /// When a row is refused.
    pub fn load(&self, dataset: Dataset) -> Result<()> {
        let work = Work { is_put: true, dataset, generation: 0 };
        let mut connections = self.connections.borrow_mut();
        let connection = &mut connections[0];
        self.runtime.block_on(async {
            connection.execute("BEGIN").await?;
            for key in 0..dataset.items {
                if !work.ask(connection, key).await? {
                    return Err(Error::new("a row is refused"));
                }
            }
            connection.execute("COMMIT").await?;
            connection.execute("VACUUM ANALYZE bench_items").await
        })
    }

    /// A closed loop on all connections.
    ///
    /// # Errors
    /// When it goes away.
    pub fn run(&self, work: Work, how: Closed) -> Result<Outcome> {
        let tally = Rc::new(RefCell::new(Outcome::default()));
        let start = monotonic_ns();
        let end = start + how.duration.as_nanos() as u64;
        let taken = self.connections.take();
        let local = LocalSet::new();
        let done: Result<Vec<Connection>> = self.runtime.block_on(local.run_until(async {
            let tasks: Vec<_> = taken
                .into_iter()
                .zip(0..)
                .map(|(connection, index)| {
                    let random = Random::new(how.seed.wrapping_mul(0x1_0001).wrapping_add(index));
                    tokio::task::spawn_local(until(connection, work, random, end, Rc::clone(&tally)))
                })
                .collect();
            let mut done = Vec::new();
            for task in tasks {
                done.push(task.await.context(|| "a connection's task".to_owned())??);
            }
            Ok(done)
        }));
        self.connections.replace(done?);
        let mut outcome = tally.take();
        outcome.elapsed_ns = monotonic_ns() - start;
        Ok(outcome)
    }

    /// Reads back what each connection wrote last; says what is wrong with that.
    ///
    /// # Errors
    /// As [`Postgres::run`].
    pub fn read_back(&self, work: Work) -> Result<Option<String>> {
        if !work.is_put {
            return Ok(None);
        }
        let stamp = format!(" g-{:08} ", work.generation);
        let mut connections = self.connections.borrow_mut();
        for connection in connections.iter_mut() {
            let key = connection.last_key;
            let read = Work { is_put: false, ..work };
            self.runtime.block_on(read.ask(connection, key))?;
            if memchr::memmem::find(connection.reply(), stamp.as_bytes()).is_none() {
                return Ok(Some(format!("row {key}: its write was acknowledged and is not there")));
            }
        }
        Ok(None)
    }
}

async fn until(
    mut connection: Connection,
    work: Work,
    mut random: Random,
    end: u64,
    tally: Rc<RefCell<Outcome>>,
) -> Result<Connection> {
    let mut now = monotonic_ns();
    while now < end {
        let key = random.below(work.dataset.items);
        let is_right = work.ask(&mut connection, key).await?;
        let answered = monotonic_ns();
        let mut tally = tally.borrow_mut();
        tally.latency.record(answered - now);
        match is_right {
            true => tally.right += 1,
            false => tally.count_wrong(if work.is_put { "upsert" } else { "select" }, 0, connection.reply()),
        }
        now = answered;
    }
    Ok(connection)
}

/// What is asked in one slice.
#[derive(Clone, Copy)]
pub struct Work {
    is_put: bool,
    dataset: Dataset,
    generation: u64,
}

impl Work {
    /// What stands beside a workload; `None` where nothing does. `generation` marks what is written.
    pub fn beside(kind: Kind, dataset: Dataset, generation: u64) -> Option<Work> {
        match kind {
            Kind::GetItem => Some(Work { is_put: false, dataset, generation }),
            Kind::PutItem => Some(Work { is_put: true, dataset, generation }),
            _ => None,
        }
    }

    /// Asks for one row, or writes it; whether the answer can be right.
    async fn ask(&self, connection: &mut Connection, key: u64) -> Result<bool> {
        let name = format!("item-{key:08}");
        if !self.is_put {
            connection.call("get", &[name.as_bytes()]).await?;
            let mark = format!("v-{key:08} ");
            return Ok(memchr::memmem::find(connection.reply(), mark.as_bytes()).is_some());
        }
        connection.last_key = key;
        let length = self.dataset.item_bytes.saturating_sub(OTHERS_BYTES) as usize;
        let mut payload = format!("v-{key:08} g-{:08} ", self.generation).into_bytes();
        payload.extend_from_slice(letters(mix(key ^ mix(self.generation)), length));
        connection.call("put", &[name.as_bytes(), &0_i64.to_be_bytes(), &payload]).await?;
        Ok(memchr::memmem::find(connection.reply(), b"INSERT 0 1").is_some())
    }
}
