//! From tree to stored bytes.

use crate::size::item_bytes;
use crate::value::{AttributeValue, Item};

use super::value::{push_bytes, push_value};
use super::{BODY_HEAD_BYTES, CODEC_PLAIN, Corrupt, FORMAT_VERSION, HEADER_BYTES, ItemRef};

/// An encoded item without its row header: what a command carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemBody(pub(super) Vec<u8>);

impl Default for ItemBody {
    fn default() -> ItemBody {
        ItemBody::encode(&Item::new())
    }
}

impl ItemBody {
    /// Encodes `item`, counting its billed size.
    pub fn encode(item: &Item) -> ItemBody {
        Self::encode_sized(item, item_bytes(item))
    }

    /// Encodes `item` whose billed size is known.
    pub fn encode_sized(item: &Item, billed_bytes: usize) -> ItemBody {
        debug_assert_eq!(billed_bytes, item_bytes(item));
        let mut entries = Vec::with_capacity(billed_bytes + 4 * item.len());
        let mut ends = Vec::with_capacity(item.len());
        for (name, value) in item {
            push_entry(name, value, &mut entries);
            ends.push(entries.len());
        }
        ItemBody(assemble(billed_bytes, &ends, &entries))
    }

    /// The attributes `names` (sorted, without duplicates) of `item`, copied as they are; those it lacks are left out.
    ///
    /// # Errors
    /// [`Corrupt`] where the item is damaged.
    pub fn project(item: &ItemRef<'_>, names: &[&str]) -> Result<ItemBody, Corrupt> {
        debug_assert!(names.is_sorted());
        let (mut entries, mut ends, mut billed_bytes) = (Vec::new(), Vec::with_capacity(names.len()), 0);
        for name in names {
            if let Some(value) = item.get(name)? {
                push_name(name, &mut entries);
                entries.extend_from_slice(value.as_bytes());
                ends.push(entries.len());
                billed_bytes += name.len() + value.billed_bytes()?;
            }
        }
        Ok(ItemBody(assemble(billed_bytes, &ends, &entries)))
    }

    /// `item` with the attributes `names` (sorted, without duplicates) as `part` has them: those that it lacks are gone.
    /// All others are copied as they are. `billed_bytes` is the size of the whole.
    ///
    /// # Errors
    /// [`Corrupt`] where the item is damaged.
    pub fn with_part(
        item: &ItemRef<'_>,
        names: &[&str],
        part: &Item,
        billed_bytes: usize,
    ) -> Result<ItemBody, Corrupt> {
        debug_assert!(names.is_sorted());
        debug_assert!(part.keys().all(|name| names.binary_search(&name.as_str()).is_ok()));
        let mut entries = Vec::with_capacity(billed_bytes + 4 * (item.len() + part.len()));
        let mut ends = Vec::with_capacity(item.len() + part.len());
        let mut part = part.iter().peekable();
        for entry in item.iter() {
            let (name, value) = entry?;
            while let Some((name, value)) = part.next_if(|(new, _)| new.as_str() <= name) {
                push_entry(name, value, &mut entries);
                ends.push(entries.len());
            }
            if names.binary_search(&name).is_err() {
                push_name(name, &mut entries);
                entries.extend_from_slice(value.as_bytes());
                ends.push(entries.len());
            }
        }
        for (name, value) in part {
            push_entry(name, value, &mut entries);
            ends.push(entries.len());
        }
        let body = ItemBody(assemble(billed_bytes, &ends, &entries));
        debug_assert_eq!(Ok(&body), body.view().to_item().map(|whole| ItemBody::encode(&whole)).as_ref());
        Ok(body)
    }

    /// Wraps bytes that come out of a decoded command.
    ///
    /// # Errors
    /// [`Corrupt`] where they cannot be a body.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<ItemBody, Corrupt> {
        ItemRef::of_body(&bytes)?;
        Ok(ItemBody(bytes))
    }

    /// The encoded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A look at the attributes. The timestamp of this view is zero: a body has none yet.
    pub fn view(&self) -> ItemRef<'_> {
        ItemRef::of_body(&self.0).expect("both constructors made sure that these bytes are a body")
    }
}

/// The row of an item that is looked at, as committed at `timestamp`.
pub fn row(item: &ItemRef<'_>, timestamp: u64) -> Vec<u8> {
    let mut row = Vec::with_capacity(HEADER_BYTES + item.body().len());
    row.extend_from_slice(&[FORMAT_VERSION, CODEC_PLAIN]);
    row.extend_from_slice(&timestamp.to_be_bytes());
    row.extend_from_slice(item.body());
    row
}

fn push_entry(name: &str, value: &AttributeValue, entries: &mut Vec<u8>) {
    push_name(name, entries);
    push_value(value, entries);
}

fn push_name(name: &str, entries: &mut Vec<u8>) {
    push_bytes(name.as_bytes(), entries);
}

fn assemble(billed_bytes: usize, ends: &[usize], entries: &[u8]) -> Vec<u8> {
    let mut body = body_head(billed_bytes, ends.iter().copied(), entries.len());
    body.extend_from_slice(entries);
    body
}

/// What stands before the entries, which take so many bytes and end there; there is room for them.
pub(super) fn body_head(
    billed_bytes: usize,
    ends: impl ExactSizeIterator<Item = usize>,
    entries_bytes: usize,
) -> Vec<u8> {
    let width = match entries_bytes {
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        _ => 4,
    };
    let mut body = Vec::with_capacity(BODY_HEAD_BYTES + ends.len() * width + entries_bytes);
    body.extend_from_slice(&small(billed_bytes).to_le_bytes());
    body.extend_from_slice(&small(ends.len()).to_le_bytes());
    body.push(width as u8);
    match width {
        1 => body.extend(ends.map(|end| end as u8)),
        2 => ends.for_each(|end| body.extend_from_slice(&(end as u16).to_le_bytes())),
        _ => ends.for_each(|end| body.extend_from_slice(&small(end).to_le_bytes())),
    }
    body
}

/// Items are bounded by the request size (16 MB) before they are encoded.
fn small(length: usize) -> u32 {
    u32::try_from(length).expect("a request is far smaller than 4 GB")
}
