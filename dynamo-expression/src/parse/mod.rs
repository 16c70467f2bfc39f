//! From text to tree: a parser by descent with one word of lookahead and a bounded depth.
//!
//! DynamoDB reports the first problem of an expression in this order, which the tests script:
//!
//! 1. empty text; too long a text;
//! 2. in one pass over the text, whichever comes first: a syntax error, redundant parentheses, too many operators;
//! 3. functions that do not exist or stand where they may not;
//! 4. reserved words used as names;
//! 5. list indexes out of range, paths too deep, sections of an update used twice;
//! 6. everything that needs the placeholders, clause by clause (not here: see [`crate::check`]).
//!
//! **Near.** `Syntax error; token: "T", near: "N"`: T is the offending word (`<EOF>` at the end) and N is the piece of
//! the source from the beginning of the word before it to the end of the word after it.
//!
//! **Depth.** Every level of nesting costs an operator, a function or a pair of parentheses; operators are limited to 300 and a
//! pair that costs no operator is redundant. So nothing valid nests deeper than [`DEPTH_MAX`] and the parser can stop
//! there without going further down. Parentheses around conditions, the deepest of all, are kept on a stack of their
//! own instead of the thread's.

pub mod condition;
pub mod projection;
pub mod update;

use dynamo_protocol::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_OPERATORS_MAX, NESTING_LEVELS_MAX};
use dynamo_protocol::reserved::is_reserved;

use crate::error::{ExpressionError, ExpressionKind};
use crate::token::{Token, TokenKind, next_token};
use crate::tree::{RawName, RawPath, RawStep};

/// Levels of parentheses and NOT; each valid one has an operator of its own, plus one pair around the whole.
pub const DEPTH_MAX: usize = EXPRESSION_OPERATORS_MAX + 2;

/// Levels of functions in functions. No more than 240 calls of `if_not_exists`, the only one that nests, fit into 4 KB.
pub const CALLS_MAX: usize = 256;

/// The largest index that a list element may be addressed with: the service's (4294967294), far beyond any list.
const INDEX_MAX: u64 = u32::MAX as u64 - 1;

pub type Parsed<T> = Result<T, ExpressionError>;

/// The state of one pass over one text.
pub struct Parser<'t> {
    source: &'t str,
    kind: ExpressionKind,
    /// Words that are keywords in this grammar, in upper case.
    keywords: &'static [&'static str],
    /// The word before the current one, for messages.
    previous: Option<Token>,
    current: Token,
    operators: usize,
    depth: usize,
    /// The functions around the current word, outermost first.
    calls: Vec<&'t str>,
    /// Problems that count only where the syntax is right, by rank; the first one of the lowest rank is reported.
    findings: Findings,
}

#[derive(Default)]
struct Findings {
    reserved: Option<ExpressionError>,
    range: Option<ExpressionError>,
}

impl<'t> Parser<'t> {
    /// A parser on the first word.
    ///
    /// # Errors
    /// An empty text, or one above 4 KB.
    pub fn new(source: &'t str, kind: ExpressionKind, keywords: &'static [&'static str]) -> Parsed<Self> {
        let current = next_token(source, 0);
        if current.kind == TokenKind::End {
            return Err(ExpressionError::invalid(kind, "The expression can not be empty;"));
        }
        if source.len() > EXPRESSION_BYTES_MAX {
            return Err(too_long(kind, source.len()));
        }
        let findings = Findings::default();
        Ok(Parser {
            source,
            kind,
            keywords,
            previous: None,
            current,
            operators: 0,
            depth: 0,
            calls: Vec::new(),
            findings,
        })
    }

    pub fn peek(&self) -> TokenKind {
        self.current.kind
    }

    fn text(&self) -> &'t str {
        &self.source[self.current.start..self.current.end]
    }

    /// Steps to the next word and gives the text of the one left behind.
    pub fn advance(&mut self) -> &'t str {
        let text = self.text();
        self.previous = Some(self.current);
        self.current = next_token(self.source, self.current.end);
        text
    }

    /// Steps over a word of the given kind.
    pub fn expect(&mut self, kind: TokenKind) -> Parsed<&'t str> {
        if self.peek() == kind { Ok(self.advance()) } else { Err(self.syntax_error()) }
    }

    /// Whether the current word is that keyword.
    pub fn at_keyword(&self, keyword: &str) -> bool {
        self.peek() == TokenKind::Word && self.text().eq_ignore_ascii_case(keyword)
    }

    /// Steps over the keyword if it is there.
    pub fn skip_keyword(&mut self, keyword: &str) -> bool {
        let found = self.at_keyword(keyword);
        if found {
            self.advance();
        }
        found
    }

    fn at_any_keyword(&self) -> bool {
        let text = self.text();
        self.keywords.iter().any(|keyword| text.eq_ignore_ascii_case(keyword))
    }

    /// A name that may stand in a path: a word that is not a keyword, or a placeholder.
    fn name(&mut self) -> Parsed<RawName<'t>> {
        match self.peek() {
            TokenKind::NamePlaceholder => Ok(RawName::Placeholder(self.advance())),
            TokenKind::Word if !self.at_any_keyword() => {
                let name = self.advance();
                self.note_reserved(name);
                Ok(RawName::Literal(name))
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// A word that may name a function or begin a path. Whether it is reserved is for the caller to note.
    fn word(&mut self) -> Parsed<&'t str> {
        if self.peek() == TokenKind::Word && !self.at_any_keyword() {
            Ok(self.advance())
        } else {
            Err(self.syntax_error())
        }
    }

    fn note_reserved(&mut self, name: &str) {
        if self.findings.reserved.is_none() && is_reserved(name) {
            let text = format!("Attribute name is a reserved keyword; reserved keyword: {name}");
            self.findings.reserved = Some(ExpressionError::invalid(self.kind, text));
        }
    }

    /// A document path from its beginning.
    pub fn path(&mut self) -> Parsed<RawPath<'t>> {
        let root = self.name()?;
        self.path_from(root)
    }

    /// The rest of a path whose first name was read.
    fn path_from(&mut self, root: RawName<'t>) -> Parsed<RawPath<'t>> {
        let mut steps = Vec::new();
        loop {
            match self.peek() {
                TokenKind::Dot => {
                    self.advance();
                    steps.push(RawStep::Name(self.name()?));
                }
                TokenKind::OpenIndex => {
                    self.advance();
                    let digits = self.expect(TokenKind::Digits)?;
                    self.expect(TokenKind::CloseIndex)?;
                    steps.push(RawStep::Index(self.index(digits)));
                }
                _ => break,
            }
        }
        if steps.len() >= NESTING_LEVELS_MAX && self.findings.range.is_none() {
            let text = format!("The document path has too many nesting levels; nesting levels: {}", steps.len() + 1);
            self.findings.range = Some(ExpressionError::invalid(self.kind, text));
        }
        Ok(RawPath { root, steps })
    }

    fn index(&mut self, digits: &str) -> u32 {
        match digits.parse::<u64>() {
            Ok(index) if index <= INDEX_MAX => index as u32,
            _ => {
                if self.findings.range.is_none() {
                    let text = format!("List index is not within the allowable range; index: [{digits}]");
                    self.findings.range = Some(ExpressionError::invalid(self.kind, text));
                }
                0
            }
        }
    }

    /// Counts one operator.
    pub fn count_operator(&mut self) -> Parsed<()> {
        self.operators += 1;
        if self.operators > EXPRESSION_OPERATORS_MAX {
            return Err(too_many_operators(self.kind, self.operators));
        }
        Ok(())
    }

    /// Steps over `(` and one level down.
    pub fn open(&mut self) -> Parsed<()> {
        self.expect(TokenKind::Open)?;
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.too_deep()) } else { Ok(()) }
    }

    /// Steps over `)` and one level up; `parenthesised` says whether what was inside is one pair of parentheses.
    pub fn close(&mut self, parenthesised: bool) -> Parsed<()> {
        self.expect(TokenKind::Close)?;
        self.depth -= 1;
        if parenthesised {
            return Err(self.redundant());
        }
        Ok(())
    }

    fn redundant(&self) -> ExpressionError {
        ExpressionError::invalid(self.kind, "The expression has redundant parentheses;")
    }

    /// What is wrong with a text that nests too deeply: an end that comes too early, or parentheses for nothing.
    fn too_deep(&mut self) -> ExpressionError {
        if self.is_balanced() { self.redundant() } else { self.syntax_error() }
    }

    /// Goes to the end of the text and says whether as many parentheses are closed as are opened.
    fn is_balanced(&mut self) -> bool {
        let (mut opened, mut closed) = (0, 0);
        let mut token = next_token(self.source, 0);
        while token.kind != TokenKind::End {
            opened += usize::from(token.kind == TokenKind::Open);
            closed += usize::from(token.kind == TokenKind::Close);
            self.previous = Some(token);
            token = next_token(self.source, token.end);
        }
        self.current = token;
        opened == closed
    }

    /// The end of the text, and the problems noted on the way that matter only now; `functions` outranks them. Gives
    /// the number of operators.
    pub fn finish(self, functions: Option<ExpressionError>) -> Parsed<usize> {
        if self.peek() != TokenKind::End {
            return Err(self.syntax_error());
        }
        match functions.or(self.findings.reserved).or(self.findings.range) {
            Some(error) => Err(error),
            None => Ok(self.operators),
        }
    }

    /// A complaint about the current word.
    pub fn syntax_error(&self) -> ExpressionError {
        let near_start = self.previous.map_or(self.current.start, |previous| previous.start);
        let (token, near_end) = if self.peek() == TokenKind::End {
            ("<EOF>", self.previous.map_or(self.current.end, |previous| previous.end))
        } else {
            let next = next_token(self.source, self.current.end);
            (self.text(), if next.kind == TokenKind::End { self.current.end } else { next.end })
        };
        let near = &self.source[near_start..near_end];
        ExpressionError::invalid(self.kind, format!("Syntax error; token: \"{token}\", near: \"{near}\""))
    }
}

/// More operators and functions than the limit; the count is where counting stopped.
pub fn too_many_operators(kind: ExpressionKind, count: usize) -> ExpressionError {
    ExpressionError::invalid(kind, format!("The expression contains too many operators; operator count: {count}"))
}

/// Seen in October 2026: an UpdateExpression is told no size, the others are.
fn too_long(kind: ExpressionKind, bytes: usize) -> ExpressionError {
    let text = "Expression size has exceeded the maximum allowed size;";
    match kind {
        ExpressionKind::Update => ExpressionError::invalid(kind, text),
        _ => ExpressionError::invalid(kind, format!("{text} expression size: {bytes}")),
    }
}
