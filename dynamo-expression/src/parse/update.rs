//! The grammar of updates.
//!
//! ```text
//! update  = section { section }
//! section = SET path "=" sum { "," path "=" sum }
//!         | REMOVE path { "," path }
//!         | ADD path value { "," path value }
//!         | DELETE path value { "," path value }
//! sum     = "(" sum ")" | term [ ( "+" | "-" ) term ]
//! term    = path | value | function "(" term { "," term } ")" | "(" term ")"
//! ```

use crate::error::{ExpressionError, ExpressionKind};
use crate::parse::{Parsed, Parser};
use crate::token::TokenKind;
use crate::tree::{Call, RawAction, RawSum, RawUpdate, Term};

const KEYWORDS: &[&str] = &["SET", "REMOVE", "ADD", "DELETE"];
const KIND: ExpressionKind = ExpressionKind::Update;

/// Parses a whole update, and counts its operators.
pub fn parse(source: &str) -> Parsed<(RawUpdate<'_>, usize)> {
    let mut parser = Parser::new(source, KIND, KEYWORDS)?;
    let mut actions = Vec::new();
    let mut seen = [false; KEYWORDS.len()];
    let mut repeated = None;
    while parser.peek() != TokenKind::End {
        let Some(section) = KEYWORDS.iter().position(|keyword| parser.at_keyword(keyword)) else {
            return Err(parser.syntax_error());
        };
        parser.advance();
        if seen[section] && repeated.is_none() {
            repeated = Some(KEYWORDS[section]);
        }
        seen[section] = true;
        parser.section(KEYWORDS[section], &mut actions)?;
    }
    let functions = actions.iter().find_map(misplaced_in_action);
    let operators = parser.finish(functions)?;
    match repeated {
        Some(section) => {
            let text = format!("The \"{section}\" section can only be used once in an update expression;");
            Err(ExpressionError::invalid(KIND, text))
        }
        None => Ok((RawUpdate { actions }, operators)),
    }
}

/// What stands on the right of `SET path =`, and whether it stands in parentheses.
struct Sum<'t> {
    sum: RawSum<'t>,
    parenthesised: bool,
}

impl<'t> Parser<'t> {
    fn section(&mut self, keyword: &str, actions: &mut Vec<RawAction<'t>>) -> Parsed<()> {
        loop {
            let path = self.path()?;
            actions.push(match keyword {
                "SET" => {
                    self.expect(TokenKind::Equal)?;
                    RawAction::Set { path, value: self.sum()?.sum }
                }
                "REMOVE" => RawAction::Remove { path },
                "ADD" => RawAction::Add { path, value: self.expect(TokenKind::ValuePlaceholder)? },
                _ => RawAction::Delete { path, value: self.expect(TokenKind::ValuePlaceholder)? },
            });
            if self.peek() != TokenKind::Comma {
                return Ok(());
            }
            self.advance();
        }
    }

    fn sum(&mut self) -> Parsed<Sum<'t>> {
        let (first, parenthesised) = if self.peek() == TokenKind::Open {
            self.open()?;
            let inner = self.sum()?;
            self.close(inner.parenthesised)?;
            match inner.sum {
                RawSum::Just(term) => (term, true),
                // A sum is not an operand of another one: `(a + b) + c` stumbles over the second `+`.
                sum => return Ok(Sum { sum, parenthesised: true }),
            }
        } else {
            (self.plain_term()?, false)
        };
        let plus = match self.peek() {
            TokenKind::Plus => true,
            TokenKind::Minus => false,
            _ => return Ok(Sum { sum: RawSum::Just(first), parenthesised }),
        };
        self.count_operator()?;
        self.advance();
        let second = self.term()?.0;
        let sum = if plus { RawSum::Plus(first, second) } else { RawSum::Minus(first, second) };
        Ok(Sum { sum, parenthesised: false })
    }
}

/// The first function that does not exist or may not stand where it stands.
fn misplaced_in_action(action: &RawAction<'_>) -> Option<ExpressionError> {
    let RawAction::Set { value, .. } = action else { return None };
    match value {
        RawSum::Just(Term::Call(call)) => misplaced_call(call, true),
        RawSum::Just(_) => None,
        RawSum::Plus(left, right) | RawSum::Minus(left, right) => {
            misplaced_in_term(left).or_else(|| misplaced_in_term(right))
        }
    }
}

fn misplaced_in_term(term: &Term<'_>) -> Option<ExpressionError> {
    match term {
        Term::Path(_) | Term::Value(_) => None,
        Term::Call(call) => misplaced_call(call, false),
    }
}

fn misplaced_call(call: &Call<'_>, whole: bool) -> Option<ExpressionError> {
    let name = call.name;
    match problem(name, whole) {
        Some(problem) => Some(ExpressionError::invalid(KIND, format!("{problem}; function: {name}"))),
        None => call.arguments.iter().find_map(misplaced_in_term),
    }
}

/// Why a function may not stand as the whole right side, or as an operand. `list_append` is only ever the whole right
/// side; `if_not_exists` is an operand like any other.
pub fn problem(name: &str, whole: bool) -> Option<&'static str> {
    match name {
        "if_not_exists" => None,
        "list_append" if whole => None,
        "list_append" => Some("The function is not allowed to be used this way in an expression"),
        "attribute_exists" | "attribute_not_exists" | "attribute_type" | "begins_with" | "contains" | "size" => {
            Some("The function is not allowed in an update expression")
        }
        _ => Some("Invalid function name"),
    }
}
