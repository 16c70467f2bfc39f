//! What conditions, filters and projections see of a stored item.

use std::borrow::Cow;
use std::cell::OnceCell;

use dynamo_expression::{Attributes, OutOfSteps, Steps};
use dynamo_protocol::value::AttributeValue;

use super::ItemRef;

/// Encoded values up to this size are decoded each time: that costs less than to keep them.
const SMALL_BYTES_MAX: usize = 64;

/// Steps for each encoded byte of a value that is decoded into many pieces.
const STEPS_PER_BYTE: usize = 4;

/// A stored item to evaluate expressions against. Only attributes that are asked for are decoded, a large one once,
/// however many operators look at it.
///
/// A damaged attribute looks absent here; the row's checksum in the store is what protects against that.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The stored item.
    item: ItemRef<'a>,
    /// Large values that were asked for, each at its place in the item; made with the first one.
    large: OnceCell<Box<[OnceCell<AttributeValue>]>>,
}

impl<'a> Decoded<'a> {
    /// Nothing is decoded yet.
    pub fn new(item: ItemRef<'a>) -> Decoded<'a> {
        Decoded { item, large: OnceCell::new() }
    }
}

impl Attributes for Decoded<'_> {
    fn attribute(&self, name: &str, steps: &Steps) -> Result<Option<Cow<'_, AttributeValue>>, OutOfSteps> {
        let Ok(Some((place, value))) = self.item.find(name) else { return Ok(None) };
        let bytes = value.as_bytes().len();
        if bytes <= SMALL_BYTES_MAX {
            steps.spend(bytes)?;
            return Ok(value.to_value().ok().map(Cow::Owned));
        }
        let large = self.large.get_or_init(|| (0..self.item.len()).map(|_| OnceCell::new()).collect());
        if large[place].get().is_none() {
            steps.spend(STEPS_PER_BYTE * bytes)?;
            let Ok(value) = value.to_value() else { return Ok(None) };
            return Ok(Some(Cow::Borrowed(large[place].get_or_init(|| value))));
        }
        Ok(large[place].get().map(Cow::Borrowed))
    }

    fn has(&self, name: &str, _: &Steps) -> Result<bool, OutOfSteps> {
        Ok(matches!(self.item.find(name), Ok(Some(_))))
    }
}
