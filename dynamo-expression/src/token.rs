//! The words of an expression.
//!
//! The lexer knows no keywords: `SET` is a keyword in an update and a (reserved) name in a condition, so the grammar
//! decides. What it does not know at all becomes a token of one character, for the parser to stumble over, because
//! that is what DynamoDB's messages name: `Syntax error; token: "!", near: "!!"`.

/// One word, as a range of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    /// Byte offset of its first character.
    pub start: usize,
    /// Byte offset behind its last character.
    pub end: usize,
}

/// What kind of word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A letter, then letters, digits and `_`: a name, a function or a keyword.
    Word,
    /// `#` and letters, digits, `_`.
    NamePlaceholder,
    /// `:` and letters, digits, `_`.
    ValuePlaceholder,
    /// Decimal digits.
    Digits,
    Open,
    Close,
    OpenIndex,
    CloseIndex,
    Comma,
    Dot,
    Plus,
    Minus,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// A character that no expression has.
    Unknown,
    End,
}

/// The word that starts at or after `from`.
pub fn next_token(source: &str, from: usize) -> Token {
    let bytes = source.as_bytes();
    let mut start = from;
    while start < bytes.len() && bytes[start].is_ascii_whitespace() {
        start += 1;
    }
    let Some(&first) = bytes.get(start) else {
        return Token { kind: TokenKind::End, start: bytes.len(), end: bytes.len() };
    };
    let second = bytes.get(start + 1).copied();
    let (kind, end) = match first {
        b'a'..=b'z' | b'A'..=b'Z' => (TokenKind::Word, end_of_word(bytes, start + 1)),
        b'#' | b':' if second.is_some_and(is_word_byte) => {
            let kind = if first == b'#' { TokenKind::NamePlaceholder } else { TokenKind::ValuePlaceholder };
            (kind, end_of_word(bytes, start + 1))
        }
        b'0'..=b'9' => (TokenKind::Digits, end_of_digits(bytes, start + 1)),
        b'(' => (TokenKind::Open, start + 1),
        b')' => (TokenKind::Close, start + 1),
        b'[' => (TokenKind::OpenIndex, start + 1),
        b']' => (TokenKind::CloseIndex, start + 1),
        b',' => (TokenKind::Comma, start + 1),
        b'.' => (TokenKind::Dot, start + 1),
        b'+' => (TokenKind::Plus, start + 1),
        b'-' => (TokenKind::Minus, start + 1),
        b'=' => (TokenKind::Equal, start + 1),
        b'<' if second == Some(b'>') => (TokenKind::NotEqual, start + 2),
        b'<' if second == Some(b'=') => (TokenKind::LessOrEqual, start + 2),
        b'<' => (TokenKind::Less, start + 1),
        b'>' if second == Some(b'=') => (TokenKind::GreaterOrEqual, start + 2),
        b'>' => (TokenKind::Greater, start + 1),
        _ => (TokenKind::Unknown, end_of_character(source, start)),
    };
    Token { kind, start, end }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn end_of_word(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|&byte| !is_word_byte(byte)).map_or(bytes.len(), |length| from + length)
}

fn end_of_digits(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |length| from + length)
}

fn end_of_character(source: &str, start: usize) -> usize {
    let length = source[start..].chars().next().map_or(1, char::len_utf8);
    start + length
}
