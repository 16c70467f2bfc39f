//! From JSON to stored bytes, without a tree.
//!
//! This reads what is right in every respect: one type for each value, no name and no member of a set twice, numbers that are
//! numbers, no nulls, no more levels than there may be. At anything else it stops, and its caller reads the item once more
//! as a tree: there all complaints of DynamoDB's are, and their order. So nothing is said here about what is wrong, and what
//! is taken gives the bytes that the tree would have given.

use std::borrow::Cow;
use std::cmp::Ordering;

use base64_simd::STANDARD as BASE64;

use crate::json::{Reader, Refused};
use crate::limits::{ATTRIBUTE_NAME_BYTES_MAX, NESTING_LEVELS_MAX};
use crate::number::{Number, push_ordered_text};
use crate::short::push_first;
use crate::varint;

use super::ItemBody;
use super::encode::body_head;
use super::input::{B, BS, FALSE, L, M, N, NS, NULL, S, SS, TRUE};

/// This is for the tree to read.
const OTHERWISE: Refused = Refused(Cow::Borrowed(""));

/// Room for what is written, if the JSON has as much; most items need no more.
const ROOM_MAX: usize = 4096;

/// Attributes for which there is room at once.
const ATTRIBUTES: usize = 16;

impl ItemBody {
    /// Reads an item, and leaves the reader behind it.
    ///
    /// # Errors
    /// For every item that is not right, and some odd ones that are; the reader is anywhere then.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<ItemBody, Refused> {
        let out = Vec::with_capacity(reader.ahead().len().min(ROOM_MAX));
        let mut encoder = Encoder { out, spans: Vec::with_capacity(ATTRIBUTES) };
        let billed_bytes = encoder.entries(reader, 1)?;
        let is_moved = encoder.order(0)?;
        let Encoder { out, spans } = encoder;
        let mut end = 0;
        let ends = spans.iter().map(|span| {
            end += span.byte_len();
            end
        });
        let mut body = body_head(billed_bytes, ends, out.len());
        match is_moved {
            true => spans.iter().for_each(|span| body.extend_from_slice(span.bytes(&out))),
            false => body.extend_from_slice(&out),
        }
        Ok(ItemBody(body))
    }
}

/// One entry of a map, or one member of a set, in what is written. Of four bytes each: requests are far smaller than 4 GB.
struct Span {
    /// The first bytes of its key, which nearly always decide.
    prefix: u64,
    start: u32,
    /// What decides its place among the others: `key_start..key_end`.
    key_start: u32,
    key_end: u32,
    end: u32,
}

impl Span {
    fn key<'o>(&self, out: &'o [u8]) -> &'o [u8] {
        &out[self.key_start as usize..self.key_end as usize]
    }

    fn bytes<'o>(&self, out: &'o [u8]) -> &'o [u8] {
        &out[self.start as usize..self.end as usize]
    }

    fn byte_len(&self) -> usize {
        (self.end - self.start) as usize
    }

    fn cmp(&self, other: &Span, out: &[u8]) -> Ordering {
        self.prefix.cmp(&other.prefix).then_with(|| self.key(out).cmp(other.key(out)))
    }
}

/// The first eight bytes of a key of this length, at which `bytes` begin, as a number of the same order; zeros are added.
#[inline]
fn prefix(bytes: &[u8], length: usize) -> u64 {
    let word = match bytes.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => bytes.iter().zip((0..u64::BITS).step_by(8).rev()).map(|(byte, shift)| u64::from(*byte) << shift).sum(),
    };
    let unused = u64::BITS.saturating_sub(u8::BITS * length.min(8) as u32);
    word & u64::MAX.checked_shl(unused).unwrap_or(0)
}

struct Encoder {
    /// What is written so far.
    out: Vec<u8>,
    /// Those of the maps and sets that are open, the outermost first.
    spans: Vec<Span>,
}

impl Encoder {
    /// The entries of a map, whose values are of this level; their size. Their spans are left.
    fn entries(&mut self, reader: &mut Reader<'_>, level: usize) -> Result<usize, Refused> {
        let mut billed_bytes = 0;
        reader.expect(b'{')?;
        if reader.peek() == Some(b'}') {
            reader.advance(1);
            return Ok(0);
        }
        loop {
            let start = self.out.len();
            let name_bytes = self.text(reader)?;
            if name_bytes == 0 || name_bytes > ATTRIBUTE_NAME_BYTES_MAX {
                return Err(OTHERWISE);
            }
            let key_end = self.out.len();
            reader.expect(b':')?;
            billed_bytes += name_bytes + self.value(reader, level)?;
            self.span(start, key_end - name_bytes, key_end)?;
            match reader.peek() {
                Some(b',') => reader.advance(1),
                Some(b'}') => break,
                _ => return Err(OTHERWISE),
            }
        }
        reader.advance(1);
        Ok(billed_bytes)
    }

    /// One value; its size.
    fn value(&mut self, reader: &mut Reader<'_>, level: usize) -> Result<usize, Refused> {
        if level > NESTING_LEVELS_MAX {
            return Err(OTHERWISE);
        }
        reader.expect(b'{')?;
        let (tag, bytes) = match *reader.ahead() {
            [b'"', b'S', b'"', ..] => (S, 3),
            [b'"', b'N', b'"', ..] => (N, 3),
            [b'"', b'B', b'"', ..] => (B, 3),
            [b'"', b'L', b'"', ..] => (L, 3),
            [b'"', b'M', b'"', ..] => (M, 3),
            [b'"', b'S', b'S', b'"', ..] => (SS, 4),
            [b'"', b'N', b'S', b'"', ..] => (NS, 4),
            [b'"', b'B', b'S', b'"', ..] => (BS, 4),
            [b'"', b'B', b'O', b'O', b'L', b'"', ..] => (TRUE, 6),
            [b'"', b'N', b'U', b'L', b'L', b'"', ..] => (NULL, 6),
            _ => return Err(OTHERWISE),
        };
        reader.advance(bytes);
        reader.expect(b':')?;
        let billed_bytes = match tag {
            S => {
                self.out.push(S);
                self.text(reader)?
            }
            N => {
                self.out.push(N);
                self.number(reader)?
            }
            B => {
                self.out.push(B);
                self.binary(reader)?
            }
            TRUE => {
                let truth = reader.peek() == Some(b't');
                reader.literal(if truth { "true" } else { "false" })?;
                self.out.push(if truth { TRUE } else { FALSE });
                1
            }
            NULL => {
                reader.literal("true")?;
                self.out.push(NULL);
                1
            }
            SS => self.set(SS, reader, Self::text)?,
            NS => self.set(NS, reader, Self::number)?,
            BS => self.set(BS, reader, Self::binary)?,
            L => self.container(L, |encoder| {
                let (mut count, mut billed_bytes) = (0, 3);
                reader.array(|reader| {
                    count += 1;
                    billed_bytes += 1 + encoder.value(reader, level + 1)?;
                    Ok(())
                })?;
                Ok((count, billed_bytes))
            })?,
            _ => self.container(M, |encoder| {
                let first = encoder.spans.len();
                let billed_bytes = encoder.entries(reader, level + 1)?;
                encoder.sort(first)?;
                let count = encoder.spans.drain(first..).len();
                Ok((count, 3 + count + billed_bytes))
            })?,
        };
        reader.expect(b'}')?;
        Ok(billed_bytes)
    }

    /// A text with its length before it; its length.
    #[inline]
    fn text(&mut self, reader: &mut Reader<'_>) -> Result<usize, Refused> {
        if let Some((bytes, length)) = reader.plain_text() {
            varint::write_usize(&mut self.out, length);
            push_first(bytes, length, &mut self.out);
            return Ok(length);
        }
        let text = reader.string()?;
        varint::write_bytes(&mut self.out, text.as_bytes());
        Ok(text.len())
    }

    fn number(&mut self, reader: &mut Reader<'_>) -> Result<usize, Refused> {
        let mut ahead = reader.clone();
        if let Some((bytes, length)) = ahead.plain_text()
            && let Some(billed_bytes) = push_ordered_text(bytes, length, &mut self.out)
        {
            *reader = ahead;
            return Ok(billed_bytes);
        }
        let number = Number::parse(&reader.string()?).map_err(|_| OTHERWISE)?;
        number.encode_ordered(&mut self.out);
        Ok(number.billed_bytes())
    }

    fn binary(&mut self, reader: &mut Reader<'_>) -> Result<usize, Refused> {
        let (bytes, length) = reader.plain_text().ok_or(OTHERWISE)?;
        let text = &bytes[..length];
        let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
        let length = (text.len() / 4 * 3).checked_sub(padding).ok_or(OTHERWISE)?;
        varint::write_usize(&mut self.out, length);
        let start = self.out.len();
        let decoded = BASE64.decode_append(text, &mut self.out);
        match decoded.is_ok() && self.out.len() - start == length {
            true => Ok(length),
            false => Err(OTHERWISE),
        }
    }

    fn set(
        &mut self,
        tag: u8,
        reader: &mut Reader<'_>,
        member: impl Fn(&mut Self, &mut Reader<'_>) -> Result<usize, Refused>,
    ) -> Result<usize, Refused> {
        self.container(tag, |encoder| {
            let first = encoder.spans.len();
            let mut billed_bytes = 0;
            reader.array(|reader| {
                let start = encoder.out.len();
                let bytes = member(encoder, reader)?;
                billed_bytes += bytes;
                let end = encoder.out.len();
                // The bytes of a number have its order; those of the others have it behind their length.
                let key_start = if tag == NS { start } else { end - bytes };
                encoder.span(start, key_start, end)
            })?;
            encoder.sort(first)?;
            match encoder.spans.drain(first..).len() {
                0 => Err(OTHERWISE),
                count => Ok((count, billed_bytes)),
            }
        })
    }

    /// What has a length and a count before it; `fill` writes the rest, and gives the count and the size.
    fn container(
        &mut self,
        tag: u8,
        fill: impl FnOnce(&mut Self) -> Result<(usize, usize), Refused>,
    ) -> Result<usize, Refused> {
        self.out.push(tag);
        let length_at = self.out.len();
        let count_at = length_at + 4;
        self.out.extend_from_slice(&[0; 5]);
        let (count, billed_bytes) = fill(self)?;
        match u8::try_from(count) {
            Ok(count @ 0..0x80) => self.out[count_at] = count,
            _ => {
                let mut long = Vec::new();
                varint::write_usize(&mut long, count);
                self.out.splice(count_at..=count_at, long);
            }
        }
        let length = u32::try_from(self.out.len() - count_at).map_err(|_| OTHERWISE)?;
        self.out[length_at..count_at].copy_from_slice(&length.to_le_bytes());
        Ok(billed_bytes)
    }

    /// Notes what was written from `start` on.
    fn span(&mut self, start: usize, key_start: usize, key_end: usize) -> Result<(), Refused> {
        let end = u32::try_from(self.out.len()).map_err(|_| OTHERWISE)?;
        let prefix = prefix(&self.out[key_start..], key_end - key_start);
        let (start, key_start, key_end) = (start as u32, key_start as u32, key_end as u32);
        self.spans.push(Span { prefix, start, key_start, key_end, end });
        Ok(())
    }

    /// Puts the spans from `first` on into the order of their keys; whether they were in another.
    ///
    /// # Errors
    /// Where a key comes twice.
    fn order(&mut self, first: usize) -> Result<bool, Refused> {
        let (out, spans) = (&self.out[..], &mut self.spans[first..]);
        if spans.windows(2).all(|pair| pair[0].cmp(&pair[1], out).is_lt()) {
            return Ok(false);
        }
        spans.sort_unstable_by(|a, b| a.cmp(b, out));
        match spans.windows(2).any(|pair| pair[0].cmp(&pair[1], out).is_eq()) {
            true => Err(OTHERWISE),
            false => Ok(true),
        }
    }

    /// Puts what the spans from `first` on stand for into the order of their keys.
    ///
    /// # Errors
    /// Where a key comes twice.
    fn sort(&mut self, first: usize) -> Result<(), Refused> {
        let start = self.spans.get(first).map(|span| span.start as usize);
        if let Some(start) = start
            && self.order(first)?
        {
            let mut sorted = Vec::with_capacity(self.out.len() - start);
            self.spans[first..].iter().for_each(|span| sorted.extend_from_slice(span.bytes(&self.out)));
            self.out[start..].copy_from_slice(&sorted);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::ops::read_item;

    fn read(json: &str) -> Result<ItemBody, Refused> {
        let mut reader = Reader::new(json.as_bytes())?;
        let body = ItemBody::read(&mut reader)?;
        reader.finish().map(|()| body)
    }

    /// What the tree makes of an item, if it has no complaint.
    fn by_tree(json: &str) -> Option<ItemBody> {
        read_item(json.as_bytes()).ok().map(|item| ItemBody::encode(&item))
    }

    #[test]
    fn valid_items_are_read_without_a_tree() {
        let long: Vec<String> = (0..300).map(|number| format!(r#"{{"N":"{number}"}}"#)).collect();
        let (names, deep) = (long.join(","), |levels: usize| {
            format!(r#"{{"a":{}{}{}}}"#, r#"{"L":["#.repeat(levels - 1), r#"{"NULL":true}"#, "]}".repeat(levels - 1))
        });
        for json in [
            "{}",
            r#"{"b":{"S":"é\n"},"a":{"S":""}}"#,
            " { \"a\" : { \"N\" : \"-001.50\" } , \"\\u0061b\" : { \"BOOL\" : false } } ",
            r#"{"s":{"SS":["b","a","ab",""]},"n":{"NS":["10","9","-1","0"]},"b":{"BS":["/w==","","AQID"]}}"#,
            r#"{"m":{"M":{"z":{"B":"AQI="},"a":{"M":{}}}},"l":{"L":[]}}"#,
            &format!(r#"{{"l":{{"L":[{names}]}}}}"#),
            &format!(r#"{{"s":{{"S":"{}"}},"a":{{"S":"{}"}}}}"#, "x".repeat(70_000), "y".repeat(200)),
            &deep(NESTING_LEVELS_MAX),
        ] {
            assert_eq!(read(json).ok(), by_tree(json), "{json}");
            assert!(read(json).is_ok(), "{json}");
        }
        assert!(read(&deep(NESTING_LEVELS_MAX + 1)).is_err());
    }

    #[test]
    fn invalid_and_odd_items_are_left_to_the_tree() {
        for value in [
            "{}",
            "null",
            "[]",
            "1",
            r#""a""#,
            r#"{"S":1}"#,
            r#"{"S":null}"#,
            r#"{"N":"x"}"#,
            r#"{"N":1}"#,
            r#"{"B":"AQI"}"#,
            r#"{"B":"AQJ="}"#,
            r#"{"B":"===="}"#,
            r#"{"BOOL":"true"}"#,
            r#"{"NULL":false}"#,
            r#"{"SS":[]}"#,
            r#"{"SS":["a","a"]}"#,
            r#"{"NS":["1","1.0"]}"#,
            r#"{"BS":["AQ==","AQ=="]}"#,
            r#"{"SS":["a",null]}"#,
            r#"{"S":"a","N":"1"}"#,
            r#"{"S":"a","X":1}"#,
            r#"{"M":{"":{"S":""}}}"#,
            r#"{"M":{"a":{"S":""},"a":{"S":""}}}"#,
            r#"{"L":[null]}"#,
            r#"{"s":"a"}"#,
            r#"{"S":"a""#,
        ] {
            assert!(read(&format!(r#"{{"a":{value}}}"#)).is_err(), "{value}");
        }
        assert!(read(r#"{"":{"S":""}}"#).is_err() && read(r#"{"a":{"S":""},"a":{"S":""}}"#).is_err());
    }

    /// A value's JSON, right or wrong.
    fn value() -> impl Strategy<Value = String> {
        let leaf = select(vec![
            r#"{"S":"a\"b"}"#,
            r#"{"S":"\u00e9"}"#,
            r#"{ "N" : "1.50" }"#,
            r#"{"N":"-7e3"}"#,
            r#"{"N":"x"}"#,
            r#"{"B":"AQI="}"#,
            r#"{"B":"AQI"}"#,
            r#"{"BOOL":true}"#,
            r#"{"BOOL":"true"}"#,
            r#"{"NULL":true}"#,
            r#"{"NULL":false}"#,
            r#"{"SS":["b","a"]}"#,
            r#"{"SS":["a","a"]}"#,
            r#"{"NS":["2","10","-1"]}"#,
            r#"{"BS":["AQ==","AA=="]}"#,
            "{}",
            r#"{"S":"a","N":"1"}"#,
            "null",
            r#"{"S":"a","X":[{}]}"#,
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(|values| format!(r#"{{"L":[{}]}}"#, values.join(","))),
                entries(inner).prop_map(|entries| format!(r#"{{"M":{entries}}}"#)),
            ]
        })
    }

    /// Names may repeat and be empty, and stand in any order.
    fn entries(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        vec(("[a-d]{0,2}", value), 0..4).prop_map(|entries| {
            let entries = entries.into_iter().map(|(name, value)| format!(r#""{name}": {value}"#));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(" ,"))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn both_readers_accept_the_same_items(json in entries(value())) {
            if let Ok(body) = read(&json) {
                prop_assert_eq!(Some(body), by_tree(&json));
            }
        }
    }
}
