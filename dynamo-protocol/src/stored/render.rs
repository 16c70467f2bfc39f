//! From stored bytes to JSON, without a tree.
//!
//! Rows are made of short things: a name, a tag, a text of some letters. To append each to a vector by itself, with a look
//! at its capacity and a call of the C library for so many bytes, costs more than all else. So this writes into room that is
//! there already, sixteen bytes at a time, and the next thing stands over what was too much:
//!
//! ```text
//! input   4 n a m e 01 2 x y 5 o t h e r …
//! room    " n a m e 01 2 x y 5 o t h e r . 0 0 0     a chunk behind the quote; of it four count
//!         " n a m e " : { " S " : " 0 0 0 0 0 0     the next chunk
//! ```
//!
//! Nothing asks how much room there is but the writes themselves. Where it does not suffice, all is begun anew with more.
//!
//! Texts were UTF-8 when they were stored; what protects them from then on is the store's checksum.

use std::num::NonZeroUsize;

use crate::json::{ESCAPE_BYTES_MAX, Room, encode_base64, escaped, is_plain, make_capacity, plain_length};
use crate::number::{TEXT_ROOM, write_ordered_text};
use crate::short::CHUNK;

use super::Corrupt;
use super::input::{B, BS, DEPTH_MAX, FALSE, Input, L, M, N, NS, NULL, S, SS, TRUE};

/// Texts that are copied by chunks; longer ones are looked through and copied as a whole.
const SHORT_MAX: usize = 4 * CHUNK;

/// [`CHUNK`], as a length is written.
const CHUNK_BYTES: u8 = CHUNK as u8;

/// Why something is not written.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Stop {
    /// There is no more room.
    Full,
    /// The bytes are something else.
    Damaged,
}

impl From<Corrupt> for Stop {
    #[cold]
    fn from(_: Corrupt) -> Stop {
        Stop::Damaged
    }
}

/// Appends the JSON object of so many names and values, which are all of `entries`; false, and nothing is appended, where there
/// is no room for it.
///
/// # Errors
/// [`Corrupt`] where the bytes are something else.
pub(super) fn push_entries(
    entries: &[u8],
    count: usize,
    out: &mut Vec<u8>,
    room: Option<&dyn Room>,
) -> Result<bool, Corrupt> {
    push(entries, count, out, room, |render| render.entries(count, 0))
}

/// Appends a value as DynamoDB's JSON; false, and nothing is appended, where there is no room for it.
///
/// # Errors
/// [`Corrupt`] where the bytes are no value.
pub(super) fn push_value(value: &[u8], out: &mut Vec<u8>, room: Option<&dyn Room>) -> Result<bool, Corrupt> {
    push(value, 1, out, room, |render| render.value::<false>(0))
}

/// Room that suffices as a rule for the JSON of so many stored bytes, so many attributes.
pub(super) fn room_for(stored_bytes: usize, count: usize) -> usize {
    /// The names of types, brackets and quotes of an attribute.
    const OF_EACH: usize = 20;
    // Base64 is longer by a third. Sets and lists of short things, and numbers, are longer by more, but seldom large.
    let more = stored_bytes / 3 + (stored_bytes / 2).min(256) + OF_EACH * count.min(stored_bytes);
    stored_bytes + more + TEXT_ROOM
}

/// Room that suffices for the JSON of stored bytes that are mostly text, with whatever must be escaped in it.
#[cold]
fn room_for_escapes(stored: &[u8]) -> usize {
    let escaped = stored.iter().filter(|byte| **byte < b' ' || matches!(**byte, b'"' | b'\\')).count();
    stored.len() + (ESCAPE_BYTES_MAX - 1) * escaped + 2 * TEXT_ROOM
}

/// Appends what `render` makes of all of `stored`, so many attributes; false where there is no room for it.
fn push(
    stored: &[u8],
    count: usize,
    out: &mut Vec<u8>,
    asked: Option<&dyn Room>,
    render: impl for<'i, 'o> Fn(Render<'i, 'o>) -> Step<'i, 'o>,
) -> Result<bool, Corrupt> {
    let (start, mut room) = (out.len(), room_for(stored.len(), count));
    loop {
        if !make_capacity(out, start + room, asked) {
            out.truncate(start);
            return Ok(false);
        }
        out.resize(start + room, 0);
        match render(Render { input: stored, room: &mut out[start..] }) {
            Ok(Render { input: [], room: left }) => {
                let end = start + room - left.len();
                out.truncate(end);
                return Ok(true);
            }
            Err(Stop::Full) => {
                crate::work::note(room);
                room = (room + room / 2).max(room_for_escapes(stored));
            }
            Ok(_) | Err(Stop::Damaged) => {
                out.truncate(start);
                return Err(Corrupt("value or item is malformed"));
            }
        }
    }
}

/// A value, or several, on the way from its stored form to JSON. Each step takes it and gives it back: as a value its four
/// words stay in registers, where the step is inlined. Where it is called, it is [`Render::apart`].
struct Render<'i, 'o> {
    /// What is still to be read.
    input: &'i [u8],
    /// What is still to be written over.
    room: &'o mut [u8],
}

/// What a step comes to.
type Step<'i, 'o> = Result<Render<'i, 'o>, Stop>;

/// How far a step has come. Two words, which a call gives back in registers; the four of a [`Render`] go through memory,
/// written one by one and read by pairs, and for that a processor waits until they have arrived in its cache.
struct Moved {
    /// Bytes of the input; no step is without any.
    read: NonZeroUsize,
    /// Bytes of the room.
    written: usize,
}

#[inline(never)]
fn moved(
    input: &[u8],
    room: &mut [u8],
    step: impl for<'i, 'o> FnOnce(Render<'i, 'o>) -> Step<'i, 'o>,
) -> Result<Moved, Stop> {
    let (to_read, to_write) = (input.len(), room.len());
    let left = step(Render { input, room })?;
    let read = NonZeroUsize::new(to_read - left.input.len()).ok_or(Stop::Damaged)?;
    Ok(Moved { read, written: to_write - left.room.len() })
}

impl<'i, 'o> Render<'i, 'o> {
    /// A step that is called.
    #[inline(always)]
    fn apart(self, step: impl for<'a, 'b> FnOnce(Render<'a, 'b>) -> Step<'a, 'b>) -> Step<'i, 'o> {
        let Render { input, room } = self;
        let Moved { read, written } = moved(input, room, step)?;
        let input = input.get(read.get()..).ok_or(Stop::Damaged)?;
        Ok(Render { input, room: room.get_mut(written..).ok_or(Stop::Full)? })
    }

    /// Writes these bytes, of which so many count.
    #[inline(always)]
    fn put<const N: usize>(self, bytes: &[u8; N], count: usize) -> Step<'i, 'o> {
        let Render { input, room } = self;
        *room.first_chunk_mut().ok_or(Stop::Full)? = *bytes;
        Ok(Render { input, room: &mut room[count..] })
    }

    #[inline(always)]
    fn byte(self) -> Result<(u8, Self), Stop> {
        let (first, input) = self.input.split_first().ok_or(Stop::Damaged)?;
        Ok((*first, Render { input, ..self }))
    }

    /// A length, or a count, of no more than what is left.
    #[inline(always)]
    fn length(self) -> Result<(usize, Self), Stop> {
        if let [length @ ..0x80, rest @ ..] = self.input
            && usize::from(*length) <= rest.len()
        {
            return Ok((usize::from(*length), Render { input: rest, ..self }));
        }
        self.long_length()
    }

    #[cold]
    fn long_length(self) -> Result<(usize, Self), Stop> {
        let mut input = Input(self.input);
        let length = input.length()?;
        Ok((length, Render { input: input.0, ..self }))
    }

    /// The number of elements behind a container's tag.
    #[inline(always)]
    fn count(self) -> Result<(usize, Self), Stop> {
        let input = self.input.get(4..).ok_or(Stop::Damaged)?;
        Render { input, ..self }.length()
    }

    /// A JSON object of so many names, each with a value of this depth behind it.
    #[inline(always)]
    fn entries(self, count: usize, depth: usize) -> Step<'i, 'o> {
        if depth > DEPTH_MAX {
            return Err(Stop::Damaged);
        }
        if count == 0 {
            return self.put(b"{}", 2);
        }
        let mut render = self;
        for position in 0..count {
            let before = if position == 0 { b"{\"" } else { b",\"" };
            render = render.put(before, 2)?.text()?.value::<true>(depth)?;
        }
        render.put(b"}", 1)
    }

    /// A value of this depth; with the end of the name before it, where it has one.
    #[inline(always)]
    fn value<const NAMED: bool>(self, depth: usize) -> Step<'i, 'o> {
        let (tag, render) = self.byte()?;
        match tag {
            S => render.open::<NAMED>(br#"":{"S":"          "#, 8)?.text()?.put(br#""}"#, 2),
            N => render.open::<NAMED>(br#"":{"N":"          "#, 8)?.number()?.put(br#""}"#, 2),
            TRUE => render.open::<NAMED>(br#"":{"BOOL":true}   "#, 15),
            FALSE => render.open::<NAMED>(br#"":{"BOOL":false}  "#, 16),
            NULL => render.open::<NAMED>(br#"":{"NULL":true}   "#, 15),
            tag if NAMED => render.put(b"\":", 2)?.apart(|render| render.other_value(tag, depth)),
            tag => render.apart(|render| render.other_value(tag, depth)),
        }
    }

    /// The beginning of a value, behind the end of its name or without that.
    #[inline(always)]
    fn open<const NAMED: bool>(self, text: &[u8; CHUNK + 2], count: usize) -> Step<'i, 'o> {
        match text {
            [text @ .., _, _] if NAMED => self.put::<CHUNK>(text, count),
            [_, _, text @ ..] => self.put::<CHUNK>(text, count - 2),
        }
    }

    /// One of the types that are longer or fewer.
    #[inline(always)]
    fn other_value(self, tag: u8, depth: usize) -> Step<'i, 'o> {
        match tag {
            B => self.put(br#"{"B":"  "#, 6)?.binary()?.put(br#""}"#, 2),
            SS => self.array(br#"{"SS":[ "#, 7, |render| render.put(b"\"", 1)?.text()?.put(b"\"", 1)),
            NS => self.array(br#"{"NS":[ "#, 7, |render| render.put(b"\"", 1)?.number()?.put(b"\"", 1)),
            BS => self.array(br#"{"BS":[ "#, 7, |render| render.put(b"\"", 1)?.binary()?.put(b"\"", 1)),
            L if depth < DEPTH_MAX => self.array(br#"{"L":[  "#, 6, |render| render.value::<false>(depth + 1)),
            M => {
                let (count, render) = self.put(br#"{"M":   "#, 5)?.count()?;
                if count == 0 {
                    return render.put(b"{}}", 3);
                }
                render.apart(|render| render.entries(count, depth + 1))?.put(b"}", 1)
            }
            _ => Err(Stop::Damaged),
        }
    }

    /// The elements of a set or a list.
    #[inline(always)]
    fn array(self, opening: &[u8; 8], opening_bytes: usize, element: impl Fn(Self) -> Step<'i, 'o>) -> Step<'i, 'o> {
        let (count, mut render) = self.put(opening, opening_bytes)?.count()?;
        for position in 0..count {
            if position > 0 {
                render = render.put(b",", 1)?;
            }
            render = element(render)?;
        }
        render.put(b"]}", 2)
    }

    /// A text without its quotes: most are shorter than a chunk and have nothing special.
    #[inline(always)]
    fn text(self) -> Step<'i, 'o> {
        if let [length @ ..=CHUNK_BYTES, rest @ ..] = self.input
            && let (length, Some(chunk)) = (usize::from(*length), rest.first_chunk())
            && is_plain(chunk, length)
        {
            return Render { input: &rest[length..], ..self }.put(chunk, length);
        }
        self.apart(|render| render.any_text())
    }

    #[inline(always)]
    fn any_text(self) -> Step<'i, 'o> {
        let (mut left, mut render) = self.length()?;
        while left <= SHORT_MAX && left > 0 {
            let input = render.input;
            let chunk = input.first_chunk().copied().unwrap_or_else(|| {
                // The end of an item.
                let mut chunk = [0; CHUNK];
                chunk[..input.len()].copy_from_slice(input);
                chunk
            });
            let count = left.min(CHUNK);
            if !is_plain(&chunk, count) {
                break;
            }
            render = render.put(&chunk, count)?;
            render.input = &input[count..];
            left -= count;
        }
        let (mut text, behind) = render.input.split_at_checked(left).ok_or(Stop::Damaged)?;
        render.input = behind;
        while !text.is_empty() {
            let (plain, special) = text.split_at(plain_length(text));
            let (to, room) = render.room.split_at_mut_checked(plain.len()).ok_or(Stop::Full)?;
            to.copy_from_slice(plain);
            render.room = room;
            let Some((&byte, behind)) = special.split_first() else { break };
            let (escape, length) = escaped(byte);
            render = render.put::<ESCAPE_BYTES_MAX>(&escape, length)?;
            text = behind;
        }
        Ok(render)
    }

    /// A number without its quotes.
    #[inline(always)]
    fn number(self) -> Step<'i, 'o> {
        let Render { input, room } = self;
        let text = room.first_chunk_mut::<TEXT_ROOM>().ok_or(Stop::Full)?;
        let (length, read) = write_ordered_text(input, text).ok_or(Stop::Damaged)?;
        let input = input.get(read..).ok_or(Stop::Damaged)?;
        Ok(Render { input, room: &mut room[length.get()..] })
    }

    /// Bytes as base64 without its quotes.
    #[inline(always)]
    fn binary(self) -> Step<'i, 'o> {
        let (length, Render { input, room }) = self.length()?;
        let (bytes, input) = input.split_at_checked(length).ok_or(Stop::Damaged)?;
        let length = encode_base64(bytes, room).ok_or(Stop::Full)?;
        Ok(Render { input, room: &mut room[length..] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::JsonWriter;
    use crate::number::Number;
    use crate::stored::ItemBody;
    use crate::value::{AttributeValue, Item};

    /// What the stored form becomes, and what the tree does.
    fn check(value: AttributeValue) {
        // Behind the value stand others, or nothing.
        for names in [&["a"][..], &["a", "b", "c"]] {
            let item: Item = names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
            let (mut stored, mut tree) = (b"[".to_vec(), b"[".to_vec());
            push_entries_of(&item, &mut stored);
            JsonWriter::new(&mut tree).item(&item);
            assert_eq!(String::from_utf8(stored), String::from_utf8(tree));
        }
    }

    fn push_entries_of(item: &Item, out: &mut Vec<u8>) {
        ItemBody::encode(item).view().write_json(&mut JsonWriter::new(out)).unwrap();
    }

    #[test]
    fn render_escapes_texts_of_every_length_as_the_tree_does() {
        for length in 0..3 * SHORT_MAX / 2 {
            check(AttributeValue::S("a".repeat(length)));
            for at in 0..length {
                for special in ["\"", "\\", "\u{1}", "\n"] {
                    let mut text = "é".repeat(length);
                    text.replace_range(2 * at..2 * at + 2, special);
                    check(AttributeValue::S(text.clone()));
                    check(AttributeValue::Ss(vec![text.replace('é', "e"), "z".to_owned()]));
                }
            }
        }
    }

    #[test]
    fn render_finds_more_room_where_json_is_far_longer() {
        let number = |text: &str| Number::parse(text).unwrap();
        for count in [1, 10, 1_000] {
            check(AttributeValue::S("\u{1}".repeat(count)));
            check(AttributeValue::L(vec![AttributeValue::Bool(false); count]));
            check(AttributeValue::L(vec![AttributeValue::N(number("-1E-130")); count]));
            check(AttributeValue::L(vec![AttributeValue::N(number("9E125")); count]));
            check(AttributeValue::L(vec![AttributeValue::M(Item::new()); count]));
            check(AttributeValue::B(vec![7; count]));
        }
    }

    #[test]
    fn render_of_damaged_bytes_leaves_nothing_behind() {
        let mut out = b"[".to_vec();
        assert!(push_value(&[S, 3, b'a'], &mut out, None).is_err());
        assert!(push_entries(&[1, b'a', NULL, 0], 1, &mut out, None).is_err());
        assert_eq!(out, b"[");
    }

    /// Room for so many bytes, and the most that was ever granted.
    #[derive(Debug)]
    struct Bounded(usize, std::sync::atomic::AtomicUsize);

    impl Room for Bounded {
        fn grow(&self, bytes: usize) -> bool {
            let fits = bytes <= self.0;
            self.1.fetch_max(if fits { bytes } else { 0 }, std::sync::atomic::Ordering::Relaxed);
            fits
        }

        fn settle(&self, _: usize) {}
    }

    #[test]
    fn render_takes_no_more_room_than_it_gets() {
        let texts = ["a", "\u{1}", "\"", "é"].map(|text| AttributeValue::S(text.repeat(300_000)));
        let lists = [AttributeValue::Null, AttributeValue::Bool(false), AttributeValue::M(Item::new())]
            .map(|element| AttributeValue::L(vec![element; 200_000]));
        for value in texts.into_iter().chain(lists).chain([AttributeValue::B(vec![1; 300_000])]) {
            let body = ItemBody::encode(&Item::from([("a".to_owned(), value)]));
            let mut whole = Vec::new();
            body.view().write_json(&mut JsonWriter::new(&mut whole)).unwrap();
            for bytes in (0..8).map(|part| whole.len() * part / 4) {
                let (room, mut out) = (Bounded(bytes, 0.into()), Vec::new());
                let mut json = JsonWriter::new(&mut out).asking(Some(&room));
                body.view().write_json(&mut json).unwrap();
                let is_refused = json.is_out_of_room();
                assert!(is_refused || out == whole, "all of it or nothing");
                assert!(bytes >= whole.len() || is_refused, "{} bytes in {bytes}", whole.len());
                let granted = room.1.into_inner();
                assert!(
                    out.capacity() <= granted.max(crate::json::ASKED_BYTES_MIN),
                    "{} bytes where {granted} were granted",
                    out.capacity()
                );
            }
            let room = Bounded(usize::MAX, 0.into());
            let mut out = Vec::new();
            let mut json = JsonWriter::new(&mut out).asking(Some(&room));
            body.view().write_json(&mut json).unwrap();
            assert!(!json.is_out_of_room() && out == whole);
        }
    }
}
