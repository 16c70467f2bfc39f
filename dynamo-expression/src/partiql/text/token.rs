//! The words of a statement.
//!
//! Keywords are words like any other here; the grammar asks for them by name, in any case. All words are found before
//! the grammar begins, so a character that no statement has is reported before any other mistake.

use dynamo_protocol::number::is_scaled_in_32_bits;

use crate::error::ExpressionError;

use crate::partiql::malformed;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    pub kind: Kind<'t>,
    /// Where it stands in the text.
    pub at: Position,
}

/// What kind of word it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'t> {
    /// A keyword, a name, a function.
    Word(&'t str),
    /// A name in double quotes, unescaped.
    Quoted(String),
    /// A string in single quotes, unescaped.
    Text(String),
    /// A number as written, without a sign.
    Number(&'t str),
    /// `?`
    Parameter,
    /// Punctuation, one of [`SYMBOLS`].
    Symbol(&'static str),
    /// A character that no statement has a place for; the grammar stumbles over it.
    Unknown,
    /// Behind the last word.
    End,
}

/// Where a token stands, as error texts have it: line and column from 1, and length in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
    pub length: usize,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.line, self.column, self.length)
    }
}

/// All punctuation, longer symbols before their own beginnings.
const SYMBOLS: [&str; 22] = [
    "<<", ">>", "<>", "<=", ">=", "!=", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ".", ":", ";", "*", "+", "-",
];

/// Splits a text into its words; the last one is [`Kind::End`].
///
/// # Errors
/// A comment, string or quoted name without an end, an exponent beyond 32 bits, `#`: not well formed, without detail.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, ExpressionError> {
    let mut lexer = Lexer { text, offset: 0, line: 1, line_start: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let start = lexer.offset;
        let (line, line_start) = (lexer.line, lexer.line_start);
        let kind = lexer.next_kind()?;
        let column = text[line_start..start].chars().count() + 1;
        let length = text[start..lexer.offset].chars().count();
        let is_end = kind == Kind::End;
        tokens.push(Token { kind, at: Position { line, column, length } });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
    /// The offset at which the line begins.
    line_start: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.offset..]
    }

    /// Moves on by so many bytes, counting lines.
    fn advance(&mut self, bytes: usize) {
        let passed = &self.text[self.offset..self.offset + bytes];
        if let Some(last) = passed.rfind('\n') {
            self.line += passed.matches('\n').count();
            self.line_start = self.offset + last + 1;
        }
        self.offset += bytes;
    }

    /// Passes white space and comments.
    fn skip_blanks(&mut self) -> Result<(), ExpressionError> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            let skipped = if blank > 0 {
                blank
            } else if rest.starts_with("--") {
                rest.find('\n').unwrap_or(rest.len())
            } else if let Some(comment) = rest.strip_prefix("/*") {
                comment.find("*/").ok_or_else(|| malformed(""))? + 4
            } else {
                return Ok(());
            };
            self.advance(skipped);
        }
    }

    fn next_kind(&mut self) -> Result<Kind<'t>, ExpressionError> {
        let rest = self.rest();
        let mut characters = rest.chars();
        let Some(first) = characters.next() else { return Ok(Kind::End) };
        let second = characters.next();
        if first.is_alphabetic() || first == '_' || first == '$' {
            return Ok(Kind::Word(self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '$')));
        }
        if first.is_ascii_digit() || first == '.' && second.is_some_and(|c| c.is_ascii_digit()) {
            return self.number();
        }
        match first {
            '\'' => self.quoted('\'').map(Kind::Text),
            '"' => self.quoted('"').map(Kind::Quoted),
            '?' => {
                self.advance(1);
                Ok(Kind::Parameter)
            }
            '#' => Err(malformed("")),
            _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => {
                    self.advance(symbol.len());
                    Ok(Kind::Symbol(symbol))
                }
                None => {
                    self.advance(first.len_utf8());
                    Ok(Kind::Unknown)
                }
            },
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.advance(length);
        &rest[..length]
    }

    /// Digits with a point and an exponent where there are any; an `e` without digits is another word.
    fn number(&mut self) -> Result<Kind<'t>, ExpressionError> {
        let rest = self.rest();
        let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        let mut length = digits(0);
        if rest[length..].starts_with('.') {
            length += 1 + digits(length + 1);
        }
        if rest[length..].starts_with(['e', 'E']) {
            let signed = length + 1 + usize::from(rest[length + 1..].starts_with(['+', '-']));
            let exponent = digits(signed);
            if exponent > 0 {
                length = signed + exponent;
            }
        }
        if !is_scaled_in_32_bits(&rest[..length]) {
            return Err(malformed(""));
        }
        self.advance(length);
        Ok(Kind::Number(&rest[..length]))
    }

    /// What stands between two quotes; two of them inside are one of the content.
    fn quoted(&mut self, quote: char) -> Result<String, ExpressionError> {
        let rest = self.rest();
        let mut content = String::new();
        let mut at = 1;
        loop {
            let end = at + rest[at..].find(quote).ok_or_else(|| malformed(""))?;
            content.push_str(&rest[at..end]);
            at = end + 1;
            if !rest[at..].starts_with(quote) {
                self.advance(at);
                return Ok(content);
            }
            content.push(quote);
            at += 1;
        }
    }
}
