//! The shapes of the stream operations.

use std::borrow::Cow;

use super::enums::ShardFilterType;
use crate::json::{Kind, Reader, Refused};
use crate::limits::{SHARD_ID_LENGTH_MAX, SHARD_ID_LENGTH_MIN};
use crate::shapes::checks::Checks;
use crate::shapes::declare::structure;
use crate::shapes::echo::Echo;
use crate::shapes::path::Path;
use crate::shapes::rules;
use crate::shapes::wire::{Place, Wire, not_a_scalar};

structure! {
    /// Which shards of a stream to describe.
    pub struct ShardFilter {
        /// In which relation to the shard.
        optional kind: ShardFilterType = "Type";
        /// To which shard.
        optional shard_id: String = "ShardId" => rules::length::<SHARD_ID_LENGTH_MIN, SHARD_ID_LENGTH_MAX>;
    }
}

/// A moment in a request: a number of seconds since 1970, with a fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamp {
    /// The same in milliseconds; what lies outside of 64 bits is held at their ends.
    pub millis: i64,
}

impl Wire for Timestamp {
    fn java() -> Cow<'static, str> {
        "class java.util.Date".into()
    }

    fn read(reader: &mut Reader<'_>, _: Place, _: &Path<'_>, _: &mut Checks) -> Result<Self, Refused> {
        match reader.kind()? {
            Kind::Number => {}
            kind => return Err(not_a_scalar(reader, kind, "Date")),
        }
        let seconds: f64 = reader.number()?.parse().unwrap_or_default();
        Ok(Timestamp { millis: (seconds * 1000.0).round() as i64 })
    }

    fn echo(&self, out: &mut Echo) {
        out.push_str(&self.millis.to_string());
    }
}
