//! Pushes JSON straight into bytes: no tree, no formatter, one buffer.
//!
//! The writer only remembers whether a comma is due. Keys come from the service model and need no escaping; texts are
//! copied in runs between the few bytes that need it.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use base64_simd::STANDARD as BASE64;

use crate::number::Number;
use crate::value::{AttributeValue, Item};

use super::reader::plain_length;

/// A memory budget for one answer, from which a writer takes room before its buffer grows large.
///
/// The length of JSON is not known before it is written: a control character takes six bytes, an element of a list up to
/// fourteen. So it is not estimated; room is taken as the buffer grows.
pub trait Room: std::fmt::Debug + Send + Sync {
    /// Whether the buffer may have a capacity of so many bytes, all of it. While it is moved, the smaller one is there, too.
    fn grow(&self, bytes: usize) -> bool;

    /// The buffer has a capacity of so many bytes, and does not grow any more for now.
    fn settle(&self, bytes: usize);
}

/// Buffers of fewer bytes take no room from a budget.
pub const ASKED_BYTES_MIN: usize = 64 << 10;

/// Sees to a capacity of so many bytes; false where there is no room for it.
pub(crate) fn make_capacity(out: &mut Vec<u8>, bytes: usize, room: Option<&dyn Room>) -> bool {
    if bytes <= out.capacity() || bytes < ASKED_BYTES_MIN {
        return true;
    }
    let Some(room) = room else { return true };
    // As a vector grows by itself, where there is room for that; so what is written piece by piece is not moved with each.
    let ahead = bytes.max(out.capacity() + out.capacity() / 2);
    let granted = [ahead, bytes].into_iter().find(|bytes| room.grow(*bytes));
    granted.inspect(|bytes| out.reserve_exact(bytes - out.len())).is_some()
}

/// Writes one JSON value into a buffer.
///
/// ```
/// use dynamo_protocol::json::JsonWriter;
///
/// let mut out = Vec::new();
/// let mut json = JsonWriter::new(&mut out);
/// json.begin_object();
/// json.key("Count").u64(2);
/// json.key("Units").f64(0.5);
/// json.key("Names").begin_array().str("a\n").str("b").end_array();
/// json.end_object();
/// assert_eq!(out, br#"{"Count":2,"Units":0.5,"Names":["a\n","b"]}"#);
/// ```
pub struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
    /// The next key or element is not the first of its container.
    comma: bool,
    /// Who is asked before the buffer becomes large; `None`: it may.
    room: Option<&'a dyn Room>,
    /// Whether something was not written, since there was no room for it.
    is_refused: bool,
}

impl<'a> JsonWriter<'a> {
    /// A writer that appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        JsonWriter { out, comma: false, room: None, is_refused: false }
    }

    /// A writer that goes on behind what another one left in `out`, inside the container that is open there.
    pub fn resume(out: &'a mut Vec<u8>) -> Self {
        // Only behind an opening bracket, a colon or nothing no comma is due; no finished value ends like that.
        let comma = !matches!(out.last(), None | Some(b'{' | b'[' | b':'));
        JsonWriter { out, comma, room: None, is_refused: false }
    }

    /// The same writer, which asks for room before stored items make its buffer large.
    pub fn asking(self, room: Option<&'a dyn Room>) -> Self {
        JsonWriter { room, ..self }
    }

    /// Whether there was no room for all that was to be written, and the buffer is of no use. Where something else than a stored
    /// item was written, its room is only asked for here.
    pub fn is_out_of_room(&mut self) -> bool {
        let capacity = self.out.capacity();
        if capacity >= ASKED_BYTES_MIN && !self.is_refused {
            self.is_refused = self.room.is_some_and(|room| !room.grow(capacity));
        }
        self.is_refused
    }

    /// The bytes written so far, for writers that push a whole value by themselves; see [`JsonWriter::raw`].
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// The bytes that can be written before the buffer must grow.
    pub fn spare(&self) -> usize {
        self.out.capacity() - self.out.len()
    }

    /// Sees to it that so many more bytes can be written before the buffer must grow, where there is room for them.
    pub fn reserve(&mut self, bytes: usize) {
        let needed = self.out.len() + bytes;
        let is_asked = needed > self.out.capacity() && needed >= ASKED_BYTES_MIN;
        if !is_asked || self.room.is_none_or(|room| room.grow(needed)) {
            self.out.reserve_exact(bytes);
        }
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// `{`
    pub fn begin_object(&mut self) -> &mut Self {
        self.open(b'{')
    }

    /// `}`
    pub fn end_object(&mut self) -> &mut Self {
        self.close(b'}')
    }

    /// `[`
    pub fn begin_array(&mut self) -> &mut Self {
        self.open(b'[')
    }

    /// `]`
    pub fn end_array(&mut self) -> &mut Self {
        self.close(b']')
    }

    /// A member's name; its value must follow.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.separate();
        escape(name, self.out);
        self.out.push(b':');
        self.comma = false;
        self
    }

    /// A text.
    pub fn str(&mut self, text: &str) -> &mut Self {
        self.value(|out| escape(text, out))
    }

    /// An unsigned integer.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.value(|out| push_u64(out, value))
    }

    /// A signed integer.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.value(|out| {
            if value < 0 {
                out.push(b'-');
            }
            push_u64(out, value.unsigned_abs());
        })
    }

    /// A double as DynamoDB writes capacity units: `1.0`, `0.5`. Must be finite.
    pub fn f64(&mut self, value: f64) -> &mut Self {
        debug_assert!(value.is_finite());
        self.value(|out| push_f64(out, value))
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.value(|out| out.extend_from_slice(if value { b"true" } else { b"false" }))
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Self {
        self.value(|out| out.extend_from_slice(b"null"))
    }

    /// Bytes as a base64 text.
    pub fn base64(&mut self, bytes: &[u8]) -> &mut Self {
        self.value(|out| push_base64(out, bytes))
    }

    /// A decimal as a text, the way attribute values carry it.
    pub fn number(&mut self, number: &Number) -> &mut Self {
        self.value(|out| push_number(out, number))
    }

    /// A moment as seconds since 1970 with milliseconds behind the point, without zeros at the end.
    pub fn timestamp_ms(&mut self, millis: u64) -> &mut Self {
        // As the SDKs format and read moments, since theirs is the code. Only a moment outside of 64 bits has no text.
        match DateTime::from_millis(millis as i64).fmt(Format::EpochSeconds) {
            Ok(text) => self.value(|out| out.extend_from_slice(text.as_bytes())),
            Err(_) => self.u64(millis / 1000),
        }
    }

    /// An attribute value: `{"S":"…"}` and so on.
    pub fn attribute_value(&mut self, value: &AttributeValue) -> &mut Self {
        self.value(|out| push_attribute_value(out, value))
    }

    /// An item, or the content of a map.
    pub fn item(&mut self, item: &Item) -> &mut Self {
        self.value(|out| push_item(out, item))
    }

    /// One whole JSON value written by `write` itself, for instance straight from stored bytes.
    pub fn raw(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        self.value(write)
    }

    /// One whole JSON value that `write` writes where it gets room, and says whether it did.
    pub(crate) fn raw_in_room<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>, Option<&dyn Room>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let (room, mut written) = (self.room, Ok(true));
        self.value(|out| written = write(out, room));
        self.is_refused |= !written?;
        Ok(())
    }

    fn value(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        self.separate();
        let before = self.out.len();
        write(self.out);
        crate::work::note(self.out.len() - before);
        self.comma = true;
        self
    }

    fn open(&mut self, bracket: u8) -> &mut Self {
        self.separate();
        self.out.push(bracket);
        self.comma = false;
        self
    }

    fn close(&mut self, bracket: u8) -> &mut Self {
        self.out.push(bracket);
        self.comma = true;
        self
    }

    fn separate(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
    }
}

/// Appends an attribute value with its type: `{"S":"…"}`.
pub fn push_attribute_value(out: &mut Vec<u8>, value: &AttributeValue) {
    match value {
        AttributeValue::S(text) => {
            out.extend_from_slice(br#"{"S":"#);
            escape(text, out);
        }
        AttributeValue::N(number) => {
            out.extend_from_slice(br#"{"N":"#);
            push_number(out, number);
        }
        AttributeValue::B(bytes) => {
            out.extend_from_slice(br#"{"B":"#);
            push_base64(out, bytes);
        }
        AttributeValue::Bool(true) => out.extend_from_slice(br#"{"BOOL":true"#),
        AttributeValue::Bool(false) => out.extend_from_slice(br#"{"BOOL":false"#),
        AttributeValue::Null => out.extend_from_slice(br#"{"NULL":true"#),
        AttributeValue::Ss(texts) => push_list(out, br#"{"SS":"#, texts, |out, text| escape(text, out)),
        AttributeValue::Ns(numbers) => push_list(out, br#"{"NS":"#, numbers, push_number),
        AttributeValue::Bs(binaries) => push_list(out, br#"{"BS":"#, binaries, |out, bytes| push_base64(out, bytes)),
        AttributeValue::L(elements) => push_list(out, br#"{"L":"#, elements, push_attribute_value),
        AttributeValue::M(entries) => {
            out.extend_from_slice(br#"{"M":"#);
            push_item(out, entries);
        }
    }
    out.push(b'}');
}

/// Appends an item: `{"name":{"S":"…"},…}`.
pub fn push_item(out: &mut Vec<u8>, item: &Item) {
    out.push(b'{');
    for (position, (name, value)) in item.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        escape(name, out);
        out.push(b':');
        push_attribute_value(out, value);
    }
    out.push(b'}');
}

/// Appends a text in quotes, escaped.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    push_escaped(text.as_bytes(), out);
    out.push(b'"');
}

fn push_escaped(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 1);
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = special.split_first() else { break };
        let (text, length) = escaped(byte);
        out.extend_from_slice(&text[..length]);
        rest = behind;
    }
}

/// The most bytes of an escape.
pub(crate) const ESCAPE_BYTES_MAX: usize = 6;

/// The escape of a quote, a backslash or a control character, and its length.
pub(crate) fn escaped(byte: u8) -> ([u8; ESCAPE_BYTES_MAX], usize) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let [high, low] = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            return ([b'\\', b'u', b'0', b'0', high, low], ESCAPE_BYTES_MAX);
        }
    };
    ([b'\\', short, 0, 0, 0, 0], 2)
}

/// Appends a decimal as a text in quotes.
pub fn push_number(out: &mut Vec<u8>, number: &Number) {
    out.push(b'"');
    number.write_text(out);
    out.push(b'"');
}

/// Appends bytes as a base64 text in quotes.
pub fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + base64_length(bytes), 0);
    encode_base64(bytes, &mut out[start..]).expect("there is room for so many");
    out.push(b'"');
}

/// Writes bytes as base64 without quotes, where there is room; its length.
pub(crate) fn encode_base64(bytes: &[u8], out: &mut [u8]) -> Option<usize> {
    let out = out.get_mut(..base64_length(bytes))?;
    Some(BASE64.encode(bytes, base64_simd::Out::from_slice(out)).len())
}

/// Four characters for each three bytes.
fn base64_length(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(3) * 4
}

/// Appends an integer in digits.
pub fn push_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut buffer = [0u8; 20];
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&buffer[start..]);
}

fn push_f64(out: &mut Vec<u8>, value: f64) {
    let halves = value * 2.0;
    if (0.0..1e15).contains(&halves) && halves.fract() == 0.0 {
        push_u64(out, halves as u64 / 2);
        out.extend_from_slice(if halves as u64 % 2 == 1 { b".5" } else { b".0" });
    } else {
        out.extend_from_slice(format!("{value:?}").as_bytes());
    }
}

fn push_list<T>(out: &mut Vec<u8>, opening: &[u8], members: &[T], push: impl Fn(&mut Vec<u8>, &T)) {
    out.extend_from_slice(opening);
    out.push(b'[');
    for (position, member) in members.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        push(out, member);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl for<'a, 'b> FnOnce(&'a mut JsonWriter<'b>) -> &'a mut JsonWriter<'b>) -> String {
        let mut out = Vec::new();
        write(&mut JsonWriter::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_only_what_must_be() {
        assert_eq!(written(|json| json.str("a\"b\\c\u{1}\n\u{7f}é😀")), "\"a\\\"b\\\\c\\u0001\\n\u{7f}é😀\"");
    }

    #[test]
    fn numbers() {
        for (value, text) in [(0.0, "0.0"), (0.5, "0.5"), (12.0, "12.0"), (1.25, "1.25"), (-1.0, "-1.0")] {
            assert_eq!(written(|json| json.f64(value)), text);
        }
        assert_eq!(written(|json| json.i64(i64::MIN)), i64::MIN.to_string());
        assert_eq!(written(|json| json.u64(u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(|json| json.timestamp_ms(1_700_000_000_123)), "1700000000.123");
        assert_eq!(written(|json| json.timestamp_ms(1_700_000_000_000)), "1700000000");
        assert_eq!(written(|json| json.timestamp_ms(1_700_000_000_020)), "1700000000.02");
        assert_eq!(written(|json| json.timestamp_ms(0)), "0");
    }

    #[test]
    fn every_type() {
        let mut map = Item::new();
        map.insert("x".into(), AttributeValue::Ns(vec![Number::from_i64(-1), Number::from_i64(2)]));
        let list = AttributeValue::L(vec![
            AttributeValue::M(map),
            AttributeValue::B(vec![1, 2, 3, 4]),
            AttributeValue::Bs(vec![vec![], vec![255]]),
            AttributeValue::Ss(vec!["a".into()]),
            AttributeValue::Bool(true),
            AttributeValue::Null,
        ]);
        assert_eq!(
            written(|json| json.attribute_value(&list)),
            r#"{"L":[{"M":{"x":{"NS":["-1","2"]}}},{"B":"AQIDBA=="},{"BS":["","/w=="]},{"SS":["a"]},{"BOOL":true},{"NULL":true}]}"#
        );
    }
}
