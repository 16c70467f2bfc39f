//! A store filled with a model's rows, and a reader that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dynamo_engine::catalog::{IndexDescriptor, KeyAttribute, TableDescriptor};
use dynamo_engine::item::{ItemBody, stored};
use dynamo_engine::keyspace::{KeyPart, RowKey, global_index_key, local_index_key, row_key};
use dynamo_engine::read::{ReadError, ReadPlan, Run, Views};
use dynamo_protocol::value::Item;
use hlc::Timestamp;
use ordered_kv::memory::MemoryState;
use ordered_kv::{Cursor, Direction, KeyRange, Reader, StateStore, StoreError, Value, View, WriteBatch};
use shard_router::{Token, TokenRange};

use crate::model::Model;

/// Writes every row of the model: the items, and for each index what a scan of the model's index gives.
pub fn filled(model: &Model) -> MemoryState {
    let store = MemoryState::new();
    let mut batch = WriteBatch::new();
    for item in model.items() {
        batch.put(&base_key(&model.table, item), &row(item));
    }
    for index in &model.table.indexes {
        for held in model.scan(Some(&index.name)) {
            batch.put(&index_key(&model.table, index, &held), &row(&held));
        }
    }
    store.write(&batch).expect("memory takes writes");
    store
}

fn row(item: &Item) -> Vec<u8> {
    stored(&ItemBody::encode(item), Timestamp(1))
}

fn base_key(table: &TableDescriptor, item: &Item) -> Vec<u8> {
    row_key(table.id.0, &parts(&table.keys.partition, item), &parts(&table.keys.sort, item))
}

fn index_key(table: &TableDescriptor, index: &IndexDescriptor, held: &Item) -> Vec<u8> {
    let base = base_key(table, held);
    let base = RowKey::parse(&base).expect("a row key was just made");
    let (partition, sort) = (parts(&index.keys.partition, held), parts(&index.keys.sort, held));
    if index.local {
        return local_index_key(index.id.0, base.token(), &partition, &sort, &parts(&table.keys.sort, held));
    }
    global_index_key(index.id.0, &partition, &sort, base.parts())
}

fn parts<'a>(attributes: &[KeyAttribute], item: &'a Item) -> Vec<KeyPart<'a>> {
    attributes.iter().map(|attribute| KeyPart::of(&item[&attribute.name]).expect("a key is a scalar")).collect()
}

/// Several shards: each holds the rows of its part of the ring and nothing else.
pub struct Shards {
    /// The first token of each shard but the first.
    bounds: Vec<u64>,
    stores: Vec<MemoryState>,
}

impl Shards {
    pub fn split(whole: &MemoryState, bounds: Vec<u64>) -> Shards {
        let shards = Shards { stores: (0..=bounds.len()).map(|_| MemoryState::new()).collect(), bounds };
        let mut rows = whole.cursor(KeyRange::all(), Direction::Forward).expect("memory can be read");
        while let Some((key, row)) = rows.next().expect("memory can be read") {
            let mut batch = WriteBatch::new();
            batch.put(key, row);
            let token = RowKey::parse(key).expect("all rows have a token").token();
            shards.stores[shards.position(token)].write(&batch).expect("memory takes writes");
        }
        shards
    }

    /// Each shard's part of the ring and its store, in the order of the ring.
    pub fn parts(&self) -> Vec<(TokenRange, &MemoryState)> {
        let firsts = [0].into_iter().chain(self.bounds.iter().copied());
        let lasts = self.bounds.iter().map(|next| next - 1).chain([u64::MAX]);
        let ranges = firsts.zip(lasts).map(|(first, last)| TokenRange::new(Token(first), Token(last)));
        ranges.map(|range| range.expect("bounds rise")).zip(&self.stores).collect()
    }

    fn position(&self, token: Token) -> usize {
        self.bounds.partition_point(|bound| *bound <= token.0)
    }
}

impl Views for Shards {
    fn reader(&self, token: Token) -> Option<&dyn Reader> {
        Some(&self.stores[self.position(token)])
    }

    fn last_token(&self, token: Token) -> Token {
        Token(self.bounds.get(self.position(token)).map_or(u64::MAX, |next| next - 1))
    }
}

/// Counts what a read does to the store.
pub struct CountingReader {
    inner: View,
    gets: AtomicUsize,
    cursors: AtomicUsize,
    steps: Arc<AtomicUsize>,
}

struct CountingCursor<'a> {
    inner: Box<dyn Cursor + 'a>,
    steps: Arc<AtomicUsize>,
}

impl CountingReader {
    pub fn new(store: &MemoryState) -> CountingReader {
        CountingReader {
            inner: store.view(),
            gets: AtomicUsize::new(0),
            cursors: AtomicUsize::new(0),
            steps: Arc::default(),
        }
    }

    /// Point reads, cursors opened, and steps of cursors so far.
    pub fn counts(&self) -> (usize, usize, usize) {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        (read(&self.gets), read(&self.cursors), read(&self.steps))
    }

    /// Runs a plan over this reader alone.
    pub fn run(&self, plan: &ReadPlan) -> Result<Vec<u8>, ReadError> {
        let mut out = Vec::new();
        let reader: &dyn Reader = self;
        plan.execute(&reader, &mut out, Run::WHOLE)?;
        Ok(out)
    }
}

impl Reader for CountingReader {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        self.inner.get(key)
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        self.cursors.fetch_add(1, Ordering::Relaxed);
        let inner = self.inner.cursor(range, direction)?;
        Ok(Box::new(CountingCursor { inner, steps: Arc::clone(&self.steps) }))
    }
}

impl Cursor for CountingCursor<'_> {
    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, StoreError> {
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.inner.next()
    }
}
