//! One walk over a request's JSON.

use std::borrow::Cow;

use crate::short::CHUNK;

/// Deepest nesting of brackets in a request. DynamoDB accepts 32 levels of values (two brackets each) and answers
/// deeper ones with an error of its own; past this bound the body is simply not read.
const DEPTH_MAX: usize = 1000;

/// The body is not the JSON of the operation; the text is DynamoDB's, empty where the JSON itself is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) Cow<'static, str>);

/// Not JSON at all.
pub(crate) const MALFORMED: Refused = Refused(Cow::Borrowed(""));

impl From<&'static str> for Refused {
    fn from(text: &'static str) -> Self {
        Refused(Cow::Borrowed(text))
    }
}

impl From<String> for Refused {
    fn from(text: String) -> Self {
        Refused(Cow::Owned(text))
    }
}

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    Text,
    Number,
    True,
    False,
    Null,
}

/// A position in a request's JSON. Every method leaves it behind the value that it read.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of a body.
    pub(crate) fn new(body: &'a [u8]) -> Result<Self, Refused> {
        // All of it, whether it is read to its end or not.
        crate::work::note(body.len());
        let text = std::str::from_utf8(body).map_err(|_| MALFORMED)?;
        Ok(Reader { text, at: 0, depth: 0 })
    }

    /// What comes next, without taking it (only the white space before it).
    #[inline]
    pub(crate) fn kind(&mut self) -> Result<Kind, Refused> {
        match self.peek() {
            Some(b'"') => Ok(Kind::Text),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            _ => Err(MALFORMED),
        }
    }

    /// Reads an object; `member` is called behind each name and must read exactly its value.
    #[inline]
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        self.enter(b'{')?;
        if self.peek() == Some(b'}') {
            return self.leave();
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(MALFORMED);
            }
            let name = self.string()?;
            self.expect(b':')?;
            member(self, name)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => return self.leave(),
                _ => return Err(MALFORMED),
            }
        }
    }

    /// Reads an array; `element` is called before each element and must read exactly it.
    #[inline]
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Refused>) -> Result<(), Refused> {
        self.enter(b'[')?;
        if self.peek() == Some(b']') {
            return self.leave();
        }
        loop {
            element(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => return self.leave(),
                _ => return Err(MALFORMED),
            }
        }
    }

    /// Reads a text, borrowed from the body unless it holds escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Refused> {
        self.expect(b'"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += plain_length(&bytes[start..]);
        match bytes.get(self.at) {
            Some(b'"') => {
                let plain = &self.text[start..self.at];
                self.at += 1;
                Ok(Cow::Borrowed(plain))
            }
            Some(b'\\') => self.escaped_string(start).map(Cow::Owned),
            _ => Err(MALFORMED),
        }
    }

    /// A text without escapes: so many bytes, with all that follows them. Nothing is taken where the next thing is another.
    #[inline]
    pub(crate) fn plain_text(&mut self) -> Option<(&'a [u8], usize)> {
        let [b'"', bytes @ ..] = self.ahead() else { return None };
        let length = plain_length(bytes);
        if bytes.get(length) != Some(&b'"') {
            return None;
        }
        self.at += 1 + length + 1;
        Some((bytes, length))
    }

    /// What is left behind white space.
    #[inline]
    pub(crate) fn ahead(&mut self) -> &'a [u8] {
        self.peek();
        &self.text.as_bytes()[self.at..]
    }

    /// Takes so many bytes of what is ahead: whole characters.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Reads a number and gives its text.
    pub(crate) fn number(&mut self) -> Result<&'a str, Refused> {
        self.peek();
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// Reads `true`, `false` or `null`.
    pub(crate) fn literal(&mut self, word: &'static str) -> Result<(), Refused> {
        self.peek();
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(MALFORMED);
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes over a value of any kind, without recursion.
    pub(crate) fn skip(&mut self) -> Result<(), Refused> {
        self.skip_counting().map(drop)
    }

    /// Passes over a value of any kind and tells how many brackets stand around its innermost part.
    pub(crate) fn skip_counting(&mut self) -> Result<usize, Refused> {
        let mut open: Vec<u8> = Vec::new();
        let mut deepest = 0;
        loop {
            let kind = self.kind()?;
            match kind {
                Kind::Object | Kind::Array => {
                    let closing = if kind == Kind::Object { b'}' } else { b']' };
                    self.at += 1;
                    if self.depth + open.len() >= DEPTH_MAX {
                        return Err(MALFORMED);
                    }
                    open.push(closing);
                    deepest = deepest.max(open.len());
                    if self.peek() != Some(closing) {
                        self.name_if_object(closing)?;
                        continue;
                    }
                }
                Kind::Text => drop(self.string()?),
                Kind::Number => drop(self.number()?),
                Kind::True => self.literal("true")?,
                Kind::False => self.literal("false")?,
                Kind::Null => self.literal("null")?,
            }
            // A value is complete; close what ends here, or go on behind a comma.
            loop {
                let Some(&closing) = open.last() else { return Ok(deepest) };
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.name_if_object(closing)?;
                        break;
                    }
                    Some(byte) if byte == closing => {
                        self.at += 1;
                        open.pop();
                    }
                    _ => return Err(MALFORMED),
                }
            }
        }
    }

    /// Nothing but white space may be left.
    pub(crate) fn finish(mut self) -> Result<(), Refused> {
        if self.peek().is_some() { Err(MALFORMED) } else { Ok(()) }
    }

    fn enter(&mut self, bracket: u8) -> Result<(), Refused> {
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(MALFORMED) } else { Ok(()) }
    }

    fn leave(&mut self) -> Result<(), Refused> {
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    fn name_if_object(&mut self, closing: u8) -> Result<(), Refused> {
        if closing == b'}' {
            if self.peek() != Some(b'"') {
                return Err(MALFORMED);
            }
            self.string()?;
            self.expect(b':')?;
        }
        Ok(())
    }

    /// The next byte behind white space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes this byte behind white space.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Refused> {
        if self.peek() != Some(byte) {
            return Err(MALFORMED);
        }
        self.at += 1;
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Refused> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(MALFORMED) } else { Ok(()) }
    }

    /// The slow half of [`Reader::string`]: `at` stands on the first escape.
    #[cold]
    fn escaped_string(&mut self, start: usize) -> Result<String, Refused> {
        let mut out = String::with_capacity(self.at - start + 16);
        out.push_str(&self.text[start..self.at]);
        loop {
            let bytes = self.text.as_bytes();
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let escaped = self.escape()?;
                    out.push(escaped);
                }
                _ => return Err(MALFORMED),
            }
            let run = self.at;
            self.at += plain_length(&bytes[run..]);
            out.push_str(&self.text[run..self.at]);
        }
    }

    fn escape(&mut self) -> Result<char, Refused> {
        let byte = self.byte().ok_or(MALFORMED)?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(MALFORMED),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, Refused> {
        let first = self.hex4()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                    return Err(MALFORMED);
                }
                self.at += 2;
                let second = self.hex4()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(MALFORMED);
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        char::from_u32(code).ok_or(MALFORMED)
    }

    fn hex4(&mut self) -> Result<u32, Refused> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(MALFORMED)?;
        let mut code = 0;
        for &digit in digits {
            code = code * 16 + (digit as char).to_digit(16).ok_or(MALFORMED)?;
        }
        self.at += 4;
        Ok(code)
    }
}

/// How many bytes stand before the next quote, backslash or control character.
///
/// Most texts are short: their first bytes go by eight. Long ones go on by 64 and by sixteen in a form that the compiler turns
/// into vector instructions, which tell whether there is such a byte, but not where.
#[inline]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let Some(chunk) = bytes.first_chunk() else { return plain_length_by_bytes(bytes) };
    match plain_in_chunk(chunk) {
        CHUNK => plain_length_of_long(bytes),
        plain => plain,
    }
}

/// As [`plain_length`], where the first chunk is plain.
fn plain_length_of_long(bytes: &[u8]) -> usize {
    let is_plain = |chunk: &&[u8; 64]| !chunk.iter().fold(false, |any, &byte| any | is_special(byte));
    let mut length = CHUNK + 64 * bytes[CHUNK..].as_chunks().0.iter().take_while(is_plain).count();
    let is_plain = |chunk: &&[u8; CHUNK]| !chunk.iter().fold(false, |any, &byte| any | is_special(byte));
    length += CHUNK * bytes[length..].as_chunks().0.iter().take_while(is_plain).count();
    let rest = &bytes[length..];
    length + rest.first_chunk().map_or_else(|| plain_length_by_bytes(rest), plain_in_chunk)
}

#[inline]
fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// How many bytes at the front of a chunk are plain.
#[inline]
fn plain_in_chunk(chunk: &[u8; CHUNK]) -> usize {
    let word = u128::from_le_bytes(*chunk);
    match specials(word as u64) {
        0 => match specials((word >> 64) as u64) {
            0 => CHUNK,
            high => 8 + high.trailing_zeros() as usize / 8,
        },
        low => low.trailing_zeros() as usize / 8,
    }
}

/// The lowest bit that is set is the highest of the lowest byte that is not plain; zero where all are.
#[inline]
fn specials(word: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = LOW << 7;
    // The lowest byte of those that are marked is zero; a borrow may mark more above it.
    let zero = |word: u64| word.wrapping_sub(LOW) & !word;
    let control = word.wrapping_sub(LOW * 0x20) & !word;
    (control | zero(word ^ (LOW * u64::from(b'"'))) | zero(word ^ (LOW * u64::from(b'\\')))) & HIGH
}

fn plain_length_by_bytes(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| is_special(byte)).unwrap_or(bytes.len())
}

/// Which bytes of a chunk are among the first so many.
const FIRST: [[bool; CHUNK]; CHUNK + 1] = {
    let mut first = [[false; CHUNK]; CHUNK + 1];
    let mut at = 0;
    while at < CHUNK * (CHUNK + 1) {
        first[at / CHUNK][at % CHUNK] = at % CHUNK < at / CHUNK;
        at += 1;
    }
    first
};

/// Whether the first so many bytes of a chunk have no quote, backslash or control character among them.
#[inline(always)]
pub(crate) fn is_plain(chunk: &[u8; CHUNK], length: usize) -> bool {
    // All of them, in a form that the compiler turns into vector instructions.
    let mut special = false;
    for (byte, is_first) in chunk.iter().zip(FIRST[length]) {
        special |= is_first & is_special(*byte);
    }
    !special
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Our verdict on a text: does it parse as one JSON value?
    fn accepts(body: &[u8]) -> bool {
        Reader::new(body).and_then(|mut reader| reader.skip().and_then(|()| reader.finish())).is_ok()
    }

    fn check_against_serde(body: &[u8]) {
        let theirs = serde_json::from_slice::<serde_json::Value>(body);
        // Two deliberate differences: they refuse numbers too large for a double and bodies nested past 128.
        if theirs.as_ref().is_err_and(|error| {
            let text = error.to_string();
            text.contains("number out of range") || text.contains("recursion limit")
        }) {
            return;
        }
        assert_eq!(accepts(body), theirs.is_ok(), "{:?}", String::from_utf8_lossy(body));
    }

    #[test]
    fn plain_lengths_are_those_of_looking_at_each_byte() {
        let specials = [0, 1, 0x1f, b'"', b'\\', b'\n'];
        let plains = [0x20, b'!', b'#', b'[', b']', b'a', 0x7f, 0x80, 0xa2, 0xdc, 0xff];
        for length in 0..140 {
            for (at, plain) in (0..length).zip(plains.iter().cycle()) {
                let mut bytes = vec![*plain; length];
                assert_eq!(plain_length(&bytes), length, "{plain}");
                for special in specials {
                    bytes[at] = special;
                    assert_eq!(plain_length(&bytes), at, "{special} among {plain}, {length} bytes");
                }
            }
        }
    }

    #[test]
    fn agrees_with_serde_json_on_small_texts() {
        for body in [
            "",
            " ",
            "{",
            "}",
            "[]",
            "{}",
            "[1,]",
            "[1 2]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "01",
            "-",
            "-0",
            "1.",
            ".5",
            "1e5",
            "1e",
            "1E+5",
            "1e-",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "\"\\udc00\"",
            "\"\\x\"",
            "\"\n\"",
            "tru",
            "true",
            "truex",
            "null null",
            "[[[]]]",
            "[[[}]]",
            "{\"a\":{\"b\":[1,2,{\"c\":null}]}}",
            "\"abcdefgh\\n\"",
            "\u{feff}{}",
            "\"é\u{7f}\"",
        ] {
            check_against_serde(body.as_bytes());
        }
        check_against_serde(b"\"\xff\"");
    }

    #[test]
    fn agrees_with_serde_json_on_random_bytes() {
        bolero::check!().with_iterations(2000).for_each(|body: &[u8]| check_against_serde(body));
    }

    #[test]
    fn deep_brackets_are_refused_not_recursed_into() {
        assert!(accepts(format!("{}{}", "[".repeat(900), "]".repeat(900)).as_bytes()));
        assert!(!accepts("[".repeat(1_000_000).as_bytes()));
        assert!(!accepts("{\"a\":".repeat(1_000_000).as_bytes()));
    }

    #[test]
    fn texts_are_unescaped() {
        let body = r#""plain text longer than eight \"quoted\" \u00e9 \ud83d\ude00 \/ end""#;
        let mut reader = Reader::new(body.as_bytes()).unwrap();
        assert_eq!(reader.string().unwrap(), "plain text longer than eight \"quoted\" é 😀 / end");
    }
}
