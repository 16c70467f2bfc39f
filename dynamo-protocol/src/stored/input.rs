//! Stored bytes from front to back: the tags of values, and what is read behind each.

use crate::number::Number;
use crate::value::{AttributeValue, Item};
use crate::varint;

use super::Corrupt;

pub(super) const S: u8 = 0x01;
pub(super) const N: u8 = 0x02;
pub(super) const B: u8 = 0x03;
pub(super) const FALSE: u8 = 0x04;
pub(super) const TRUE: u8 = 0x05;
pub(super) const NULL: u8 = 0x06;
pub(super) const SS: u8 = 0x07;
pub(super) const NS: u8 = 0x08;
pub(super) const BS: u8 = 0x09;
pub(super) const L: u8 = 0x0A;
pub(super) const M: u8 = 0x0B;

/// Values nest 32 deep at most (checked by the plan); reading damaged bytes stops here instead of overflowing the
/// stack.
pub(super) const DEPTH_MAX: usize = 64;

/// A cursor over encoded values.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Corrupt("value is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Corrupt> {
        let (first, rest) = self.0.split_first().ok_or(Corrupt("value is cut off"))?;
        self.0 = rest;
        Ok(*first)
    }

    #[inline]
    pub(super) fn length(&mut self) -> Result<usize, Corrupt> {
        let length = varint::read_u64(&mut self.0).map_err(|_| Corrupt("malformed length"))?;
        // A length or count above the bytes that are left is refused here, so it can safely size a buffer.
        if length > self.0.len() as u64 { Err(Corrupt("length beyond the end")) } else { Ok(length as usize) }
    }

    /// The number of elements behind a container's tag.
    pub(super) fn count(&mut self) -> Result<usize, Corrupt> {
        self.take(4)?;
        self.length()
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let length = self.length()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Corrupt("text is not UTF-8"))
    }

    pub(super) fn number(&mut self) -> Result<Number, Corrupt> {
        let (number, rest) = Number::decode_ordered(self.0).ok_or(Corrupt("malformed number"))?;
        self.0 = rest;
        Ok(number)
    }

    /// The bytes of one whole value, stepped over.
    pub(super) fn raw_value(&mut self) -> Result<&'a [u8], Corrupt> {
        let start = self.0;
        match self.byte()? {
            S | B => drop(self.bytes()?),
            N => drop(self.number()?),
            FALSE | TRUE | NULL => {}
            SS | NS | BS | L | M => {
                let length = self.take(4)?.try_into().expect("take gives four bytes");
                self.take(u32::from_le_bytes(length) as usize)?;
            }
            _ => return Err(Corrupt("unknown value tag")),
        }
        Ok(&start[..start.len() - self.0.len()])
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<AttributeValue, Corrupt> {
        if depth > DEPTH_MAX {
            return Err(Corrupt("value nests too deep"));
        }
        Ok(match self.byte()? {
            S => AttributeValue::S(self.text()?.to_owned()),
            N => AttributeValue::N(self.number()?),
            B => AttributeValue::B(self.bytes()?.to_vec()),
            FALSE => AttributeValue::Bool(false),
            TRUE => AttributeValue::Bool(true),
            NULL => AttributeValue::Null,
            SS => AttributeValue::Ss(self.all(|input| input.text().map(str::to_owned))?),
            NS => AttributeValue::Ns(self.all(Input::number)?),
            BS => AttributeValue::Bs(self.all(|input| input.bytes().map(<[u8]>::to_vec))?),
            L => AttributeValue::L(self.all(|input| input.value(depth + 1))?),
            M => AttributeValue::M(self.map(depth)?),
            _ => return Err(Corrupt("unknown value tag")),
        })
    }

    pub(super) fn all<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, Corrupt>) -> Result<Vec<T>, Corrupt> {
        let count = self.count()?;
        (0..count).map(|_| read(self)).collect()
    }

    pub(super) fn map(&mut self, depth: usize) -> Result<Item, Corrupt> {
        let count = self.count()?;
        (0..count).map(|_| Ok((self.text()?.to_owned(), self.value(depth + 1)?))).collect()
    }
}
