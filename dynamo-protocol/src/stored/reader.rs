//! A stored item, borrowed: single attributes, JSON, tree.

use crate::json::JsonWriter;
use crate::value::{AttributeValue, Item};
use crate::varint;

use super::render::{push_entries, room_for};
use super::{BODY_HEAD_BYTES, CODEC_PLAIN, Corrupt, FORMAT_VERSION, HEADER_BYTES, ValueRef};

/// A view of a stored item. Copying it copies a few words.
#[derive(Clone, Copy, Debug)]
pub struct ItemRef<'a> {
    /// When the row was committed; zero for a body without a row.
    timestamp: u64,
    /// The item's size as DynamoDB bills it.
    billed_bytes: u32,
    /// Attributes.
    count: usize,
    /// Bytes of each number in `ends`.
    width: usize,
    /// Where each attribute ends in `entries`.
    ends: &'a [u8],
    /// Names and values, in the order of the names.
    entries: &'a [u8],
    /// All of it.
    body: &'a [u8],
}

impl<'a> ItemRef<'a> {
    /// Looks at a row. Only its head is checked here; attributes are checked when they are read.
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no row of this format.
    pub fn parse(row: &'a [u8]) -> Result<ItemRef<'a>, Corrupt> {
        let (header, body) = row.split_at_checked(HEADER_BYTES).ok_or(Corrupt("row is cut off"))?;
        if header[0] != FORMAT_VERSION {
            return Err(Corrupt("unknown item format"));
        }
        if header[1] != CODEC_PLAIN {
            return Err(Corrupt("unknown codec"));
        }
        let timestamp = u64::from_be_bytes(header[2..].try_into().expect("the header has ten bytes"));
        Ok(ItemRef { timestamp, ..Self::of_body(body)? })
    }

    /// Looks at a body without a row. Only its head is checked here.
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no body of this format.
    pub fn of_body(body: &'a [u8]) -> Result<ItemRef<'a>, Corrupt> {
        let (head, rest) = body.split_at_checked(BODY_HEAD_BYTES).ok_or(Corrupt("item is cut off"))?;
        let billed_bytes = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let count = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let width = match head[8] {
            width @ (1 | 2 | 4) => usize::from(width),
            _ => return Err(Corrupt("unknown offset width")),
        };
        let table_bytes = count.checked_mul(width).ok_or(Corrupt("too many attributes"))?;
        let (ends, entries) = rest.split_at_checked(table_bytes).ok_or(Corrupt("offset table is cut off"))?;
        Ok(ItemRef { timestamp: 0, billed_bytes, count, width, ends, entries, body })
    }

    /// When the item was committed, as the row has it; zero where this is a body without a row.
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// The item's size as DynamoDB bills it: names and values.
    pub fn billed_bytes(&self) -> usize {
        self.billed_bytes as usize
    }

    /// How many attributes the item has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The encoded body: two items with equal bodies are the same item.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The value of one attribute, still encoded.
    ///
    /// # Errors
    /// [`Corrupt`] where the item is damaged.
    pub fn get(&self, name: &str) -> Result<Option<ValueRef<'a>>, Corrupt> {
        Ok(self.find(name)?.map(|(_, value)| value))
    }

    /// The value of one attribute and its place among all of them.
    ///
    /// # Errors
    /// [`Corrupt`] where the item is damaged.
    pub fn find(&self, name: &str) -> Result<Option<(usize, ValueRef<'a>)>, Corrupt> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, value) = self.entry(middle)?;
            match found.cmp(name.as_bytes()) {
                std::cmp::Ordering::Equal => return Ok(Some((middle, value))),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// The value of one attribute.
    ///
    /// # Errors
    /// [`Corrupt`] where the item is damaged.
    pub fn attribute(&self, name: &str) -> Result<Option<AttributeValue>, Corrupt> {
        self.get(name)?.map(|value| value.to_value()).transpose()
    }

    /// All attributes in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = Result<(&'a str, ValueRef<'a>), Corrupt>> + use<'a> {
        let item = *self;
        (0..item.count).map(move |at| {
            let (name, value) = item.entry(at)?;
            Ok((std::str::from_utf8(name).map_err(|_| Corrupt("name is not UTF-8"))?, value))
        })
    }

    /// The whole item as a tree.
    ///
    /// # Errors
    /// [`Corrupt`] where the item is damaged.
    pub fn to_item(&self) -> Result<Item, Corrupt> {
        self.iter()
            .map(|entry| {
                let (name, value) = entry?;
                Ok((name.to_owned(), value.to_value()?))
            })
            .collect()
    }

    /// Those of the attributes `names` that the item has, as a tree.
    ///
    /// # Errors
    /// [`Corrupt`] where one of them is damaged.
    pub fn part(&self, names: &[&str]) -> Result<Item, Corrupt> {
        let mut part = Item::new();
        for name in names {
            if let Some(value) = self.attribute(name)? {
                part.insert((*name).to_owned(), value);
            }
        }
        Ok(part)
    }

    /// Room in a buffer with which it need not grow while the item is written, as a rule.
    pub fn json_room(&self) -> usize {
        room_for(self.entries.len(), self.count)
    }

    /// Writes the item as a JSON object of attributes, without a tree.
    ///
    /// # Errors
    /// [`Corrupt`] where the item is damaged; what was written so far is then of no use.
    pub fn write_json(&self, out: &mut JsonWriter<'_>) -> Result<(), Corrupt> {
        out.raw_in_room(|bytes, room| push_entries(self.entries, self.count, bytes, room))
    }

    /// Writes those of the top-level attributes `names` (sorted, without duplicates) that the item has. Looks up as many
    /// as there are names, or attributes where these are fewer.
    ///
    /// # Errors
    /// As [`ItemRef::write_json`].
    pub fn write_json_projected<S: AsRef<str>>(&self, names: &[S], out: &mut JsonWriter<'_>) -> Result<(), Corrupt> {
        out.begin_object();
        if names.len() <= self.count {
            for name in names {
                if let Some(value) = self.get(name.as_ref())? {
                    out.key(name.as_ref());
                    value.write_json(out)?;
                }
            }
        } else {
            for entry in self.iter() {
                let (name, value) = entry?;
                if names.binary_search_by(|wanted| wanted.as_ref().cmp(name)).is_ok() {
                    out.key(name);
                    value.write_json(out)?;
                }
            }
        }
        out.end_object();
        Ok(())
    }

    fn entry(&self, at: usize) -> Result<(&'a [u8], ValueRef<'a>), Corrupt> {
        let start = if at == 0 { 0 } else { self.end(at - 1) };
        let mut entry = self.entries.get(start..self.end(at)).ok_or(Corrupt("offsets out of order"))?;
        let length = varint::read_u64(&mut entry).map_err(|_| Corrupt("malformed name length"))?;
        if length > entry.len() as u64 {
            return Err(Corrupt("name is cut off"));
        }
        let (name, value) = entry.split_at(length as usize);
        Ok((name, ValueRef::new(value)))
    }

    fn end(&self, at: usize) -> usize {
        let end = &self.ends[at * self.width..(at + 1) * self.width];
        match *end {
            [a] => usize::from(a),
            [a, b] => usize::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]) as usize,
            _ => unreachable!("`of_body` takes these widths only"),
        }
    }
}
