//! Who reads which shard, and how far: one row for each shard.
//!
//! ```text
//! stream_shard (key) · owner · heir · counter · position · done
//! ```
//!
//! Whoever changes a row adds one to its counter, on the condition that it is still what he saw; so a lease that was
//! taken over meanwhile is noticed at the next write, and none is lost between two. A lease is up when its counter stood
//! still for as long as it lasts **by the clock of the one who looks**: no two clocks are compared. The heir is written by the
//! one who wants the shard, and changes nothing for the owner but that he gives it back (`balance`).

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
    Update,
};

use crate::Error;
use crate::balance::Held;
use crate::database::{Database, code};

/// How long to wait between two looks at a table that is being made.
const CREATION_PAUSE: Duration = Duration::from_millis(100);

/// The condition under which an owner writes.
const IS_MINE: &str = "#owner = :me AND #counter = :counter";

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Which shard.
    pub key: String,
    /// Who reads it.
    pub owner: Option<String>,
    /// Who wants to read it.
    pub heir: Option<String>,
    /// How often it was changed.
    pub counter: u64,
    /// The last record that was handled.
    pub position: Option<String>,
    /// Whether the shard was read to its end.
    pub is_done: bool,
}

/// The table.
#[derive(Clone)]
pub struct Leases {
    database: Database,
    table: String,
    me: String,
    lasts: Duration,
    /// The counters of the rows, and since when they are so.
    seen: HashMap<String, (u64, Instant)>,
}

impl Leases {
    /// The table of that name, which is made if it is not there; `me` names this consumer, for which leases last so long.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn open(database: Database, table: &str, me: &str, lasts: Duration) -> Result<Leases, Error> {
        let leases = Leases { database, table: table.to_owned(), me: me.to_owned(), lasts, seen: HashMap::new() };
        leases.create().await?;
        Ok(leases)
    }

    async fn create(&self) -> Result<(), Error> {
        let key = KeySchemaElement::builder().attribute_name("stream_shard").key_type(KeyType::Hash).build()?;
        let name = AttributeDefinition::builder()
            .attribute_name("stream_shard")
            .attribute_type(ScalarAttributeType::S)
            .build()?;
        let create = |client: Client| {
            let table = client.create_table().table_name(&self.table).billing_mode(BillingMode::PayPerRequest);
            table.key_schema(key.clone()).attribute_definitions(name.clone()).send()
        };
        match self.database.items(create).await {
            Err(error) if code(&error) != "ResourceInUseException" => return Err(error.into()),
            _ => {}
        }
        loop {
            let look = |client: Client| client.describe_table().table_name(&self.table).send();
            let table = self.database.items(look).await?.table;
            if table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
                return Ok(());
            }
            tokio::time::sleep(CREATION_PAUSE).await;
        }
    }

    /// All rows, by their keys.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn all(&mut self) -> Result<BTreeMap<String, Row>, Error> {
        let mut rows = BTreeMap::new();
        let mut after = None;
        loop {
            let ask = |client: Client| {
                let scan = client.scan().table_name(&self.table).consistent_read(true);
                scan.set_exclusive_start_key(after.clone()).send()
            };
            let page = self.database.items(ask).await?;
            rows.extend(page.items().iter().map(row).map(|row| (row.key.clone(), row)));
            after = page.last_evaluated_key;
            if after.is_none() {
                break;
            }
        }
        let now = Instant::now();
        self.seen.retain(|key, _| rows.contains_key(key));
        for row in rows.values() {
            let seen = self.seen.entry(row.key.clone()).or_insert((row.counter, now));
            if seen.0 != row.counter {
                *seen = (row.counter, now);
            }
        }
        Ok(rows)
    }

    /// Who has the shard of this row, none for a new one, and who is to have it, as far as they live.
    pub fn held(&self, key: String, row: Option<&Row>) -> Held {
        let stands_still = |row: &&Row| {
            let seen = self.seen.get(&row.key);
            seen.is_some_and(|(counter, since)| *counter == row.counter && since.elapsed() > self.lasts)
        };
        let row = row.filter(|row| !stands_still(row));
        let named = |name: fn(&Row) -> &Option<String>| row.and_then(|row| name(row).clone());
        Held { key, owner: named(|row| &row.owner), heir: named(|row| &row.heir) }
    }

    /// Asks the owner of a shard for it. Where somebody else was quicker, or the owner has changed, nothing happens.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn ask_for(&self, row: &Row) -> Result<(), Error> {
        let owner = row.owner.clone().unwrap_or_default();
        let ask = |client: Client| {
            let update = client.update_item().table_name(&self.table).key("stream_shard", s(&row.key));
            update
                .update_expression("SET heir = :me")
                .condition_expression("#owner = :owner AND attribute_not_exists(heir)")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":owner", s(&owner))
                .expression_attribute_values(":me", s(&self.me))
                .send()
        };
        match self.database.items(ask).await {
            Err(error) if code(&error) != "ConditionalCheckFailedException" => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Takes the lease of a shard; `None` where another one was quicker.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn take(&self, key: &str, row: Option<&Row>) -> Result<Option<Lease>, Error> {
        let mut row = row.cloned().unwrap_or_else(|| Row { key: key.to_owned(), ..Row::default() });
        let before = row.counter;
        row.owner = Some(self.me.clone());
        let mut lease = Lease { leases: self.clone(), row, written: Instant::now() };
        let condition = if before == 0 { "attribute_not_exists(stream_shard)" } else { "#counter = :counter" };
        Ok(lease.write("SET #owner = :me, #counter = :next REMOVE heir", condition, None).await?.then_some(lease))
    }
}

/// The lease of a shard, as long as nobody takes it.
pub struct Lease {
    leases: Leases,
    row: Row,
    written: Instant,
}

impl Lease {
    /// The last record that was handled.
    pub fn position(&self) -> Option<&str> {
        self.row.position.as_deref()
    }

    /// Renews the lease where a third of its time is over; whether it is still this consumer's.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn renew(&mut self) -> Result<bool, Error> {
        if self.written.elapsed() < self.leases.lasts / 3 {
            return Ok(true);
        }
        self.write("SET #counter = :next", IS_MINE, None).await
    }

    /// Writes down that everything up to this record was handled; whether the lease is still this consumer's.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn checkpoint(&mut self, position: &str) -> Result<bool, Error> {
        let kept = self.write("SET #counter = :next, #position = :position", IS_MINE, Some(position)).await?;
        self.row.position = Some(position.to_owned());
        Ok(kept)
    }

    /// Writes down that the shard was read to its end.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn finish(&mut self) -> Result<bool, Error> {
        self.write("SET #counter = :next, done = :done REMOVE #owner, heir", IS_MINE, None).await
    }

    /// Gives the shard back, for its heir.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn release(&mut self) -> Result<bool, Error> {
        self.write("SET #counter = :next REMOVE #owner", IS_MINE, None).await
    }

    /// [`Lease::checkpoint`] as a part of a transaction. To be followed by [`Lease::is_checkpointed`].
    ///
    /// # Errors
    /// None in practice: the builder wants to be asked.
    pub fn checkpoint_action(&self, position: &str) -> Result<Update, Error> {
        let update = Update::builder().table_name(&self.leases.table);
        Ok(update
            .key("stream_shard", s(&self.row.key))
            .update_expression("SET #counter = :next, #position = :position")
            .condition_expression(IS_MINE)
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#counter", "counter")
            .expression_attribute_names("#position", "position")
            .expression_attribute_values(":me", s(&self.leases.me))
            .expression_attribute_values(":counter", n(self.row.counter))
            .expression_attribute_values(":next", n(self.row.counter + 1))
            .expression_attribute_values(":position", s(position))
            .build()?)
    }

    /// The transaction with [`Lease::checkpoint_action`] took place.
    pub fn is_checkpointed(&mut self, position: &str) {
        self.row.counter += 1;
        self.row.position = Some(position.to_owned());
        self.written = Instant::now();
    }

    /// Whether the row is still this consumer's, as the database has it.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn is_mine(&self) -> Result<bool, Error> {
        let found = self.look().await?;
        Ok((found.owner.as_ref(), found.counter) == (Some(&self.leases.me), self.row.counter))
    }

    async fn look(&self) -> Result<Row, Error> {
        let ask = |client: Client| {
            client
                .get_item()
                .table_name(&self.leases.table)
                .key("stream_shard", s(&self.row.key))
                .consistent_read(true)
                .send()
        };
        Ok(self.leases.database.items(ask).await?.item.map(|item| row(&item)).unwrap_or_default())
    }

    /// Writes the row with the next counter; whether its condition was true.
    async fn write(&mut self, update: &str, condition: &str, position: Option<&str>) -> Result<bool, Error> {
        let began = Instant::now();
        let ask = |client: Client| self.request(client, update, condition, position).send();
        match self.leases.database.items(ask).await {
            Ok(_) => {}
            Err(error) if code(&error) == "ConditionalCheckFailedException" => {
                // It may have been an attempt of ours whose answer was lost.
                let found = self.look().await?;
                let owner = if update.contains("REMOVE #owner") { None } else { Some(&self.leases.me) };
                if (found.owner.as_ref(), found.counter) != (owner, self.row.counter + 1) {
                    return Ok(false);
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.row.counter += 1;
        self.written = began;
        Ok(true)
    }

    /// The database takes no names and values that an expression does not use.
    fn request(
        &self,
        client: Client,
        update: &str,
        condition: &str,
        position: Option<&str>,
    ) -> UpdateItemFluentBuilder {
        let mut request = client.update_item().table_name(&self.leases.table).key("stream_shard", s(&self.row.key));
        let uses = |what: &str| update.contains(what) || condition.contains(what);
        for (name, attribute) in [("#owner", "owner"), ("#counter", "counter"), ("#position", "position")] {
            if uses(name) {
                request = request.expression_attribute_names(name, attribute);
            }
        }
        let values = [
            (":me", s(&self.leases.me)),
            (":counter", n(self.row.counter)),
            (":next", n(self.row.counter + 1)),
            (":position", s(position.unwrap_or_default())),
            (":done", AttributeValue::Bool(true)),
        ];
        for (name, value) in values {
            if uses(name) {
                request = request.expression_attribute_values(name, value);
            }
        }
        request.update_expression(update).condition_expression(condition)
    }
}

fn row(item: &HashMap<String, AttributeValue>) -> Row {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let counter = item.get("counter").and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok());
    Row {
        key: text("stream_shard").unwrap_or_default(),
        owner: text("owner"),
        heir: text("heir"),
        counter: counter.unwrap_or_default(),
        position: text("position"),
        is_done: item.contains_key("done"),
    }
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
