//! The grammar of conditions, filters and key conditions.
//!
//! ```text
//! or         = and { OR and }
//! and        = not { AND not }
//! not        = NOT not | comparison
//! comparison = "(" or ")" | term [ ( "=" | "<>" | "<" | "<=" | ">" | ">=" ) term
//!                                | BETWEEN term AND term
//!                                | IN "(" term { "," term } ")" ]
//! term       = path | value | function "(" term { "," term } ")" | "(" term ")"
//! ```
//!
//! An opening parenthesis may begin a condition or a term, and which one is known only behind it. So the upper rules
//! yield a [`Node`] that is either, and whoever needs a condition asks for one: a term in that place is a syntax error
//! at the word that follows it, as with DynamoDB (`foo` alone: `token: "<EOF>", near: "foo"`).

use crate::error::{ExpressionError, ExpressionKind};
use crate::parse::{CALLS_MAX, Parsed, Parser, update};
use crate::token::TokenKind;
use crate::tree::{Call, Comparator, Logic, RawName, Term};

const KEYWORDS: &[&str] = &["AND", "OR", "NOT", "BETWEEN", "IN"];

/// Parses a whole condition, and counts its operators.
pub fn parse(source: &str, kind: ExpressionKind) -> Parsed<(Logic<'_>, usize)> {
    let mut parser = Parser::new(source, kind, KEYWORDS)?;
    let node = parser.or()?;
    let logic = parser.logic(node)?;
    if parser.peek() != TokenKind::End {
        return Err(parser.syntax_error());
    }
    let functions = misplaced_in_logic(&logic, kind);
    let operators = parser.finish(functions)?;
    Ok((logic, operators))
}

/// A condition or a term, and whether it stands in a pair of parentheses of its own.
struct Node<'t> {
    content: Content<'t>,
    parenthesised: bool,
}

enum Content<'t> {
    Logic(Logic<'t>),
    Term(Term<'t>),
}

/// What was read of one level of parentheses.
#[derive(Default)]
struct Level<'t> {
    /// Operands of OR that are complete.
    alternatives: Vec<Logic<'t>>,
    /// Operands of the AND that is being read.
    requirements: Vec<Logic<'t>>,
    /// How many NOT stand before the operand that is being read.
    negations: usize,
}

impl<'t> Level<'t> {
    fn is_untouched(&self) -> bool {
        self.alternatives.is_empty() && self.requirements.is_empty() && self.negations == 0
    }

    /// Takes an operand, with the NOTs before it.
    fn push(&mut self, operand: Logic<'t>) {
        let negations = std::mem::take(&mut self.negations);
        self.requirements.push((0..negations).fold(operand, |logic, _| Logic::Not(Box::new(logic))));
    }

    /// Ends the operand of OR that is being read.
    fn end_alternative(&mut self) {
        let requirements = std::mem::take(&mut self.requirements);
        self.alternatives.push(one_or(requirements, Logic::And));
    }
}

fn one_or<'t>(mut operands: Vec<Logic<'t>>, many: fn(Vec<Logic<'t>>) -> Logic<'t>) -> Logic<'t> {
    match operands.pop() {
        Some(only) if operands.is_empty() => only,
        last => {
            operands.extend(last);
            many(operands)
        }
    }
}

impl<'t> Parser<'t> {
    /// The rules `or`, `and`, `not` and `comparison`, with a stack of their own for parentheses, so that nesting takes
    /// little of the thread's.
    fn or(&mut self) -> Parsed<Node<'t>> {
        let mut outer: Vec<Level<'t>> = Vec::new();
        let mut level = Level::default();
        loop {
            while self.at_keyword("NOT") {
                self.count_operator()?;
                self.advance();
                level.negations += 1;
            }
            if self.peek() == TokenKind::Open {
                self.open()?;
                outer.push(std::mem::take(&mut level));
                continue;
            }
            let mut node = Node { content: Content::Term(self.plain_term()?), parenthesised: false };
            // Behind an operand: the next one, or as many ends of parentheses as there are.
            loop {
                node = self.after_operand(node)?;
                if self.at_keyword("AND") || self.at_keyword("OR") {
                    let alternative = self.at_keyword("OR");
                    let logic = self.logic(node)?;
                    self.count_operator()?;
                    self.advance();
                    level.push(logic);
                    if alternative {
                        level.end_alternative();
                    }
                    break;
                }
                if !level.is_untouched() {
                    level.push(self.logic(node)?);
                    level.end_alternative();
                    let logic = one_or(std::mem::take(&mut level.alternatives), Logic::Or);
                    node = Node { content: Content::Logic(logic), parenthesised: false };
                }
                let Some(around) = outer.pop() else { return Ok(node) };
                self.close(node.parenthesised)?;
                node.parenthesised = true;
                level = around;
            }
        }
    }

    /// What may follow a term where a condition may stand.
    fn after_operand(&mut self, node: Node<'t>) -> Parsed<Node<'t>> {
        let Content::Term(term) = node.content else { return Ok(node) };
        let logic = if let Some(operator) = comparator(self.peek()) {
            self.count_operator()?;
            self.advance();
            Logic::Compare { operator, left: term, right: self.term()?.0 }
        } else if self.at_keyword("BETWEEN") {
            self.between(term)?
        } else if self.at_keyword("IN") {
            self.is_in(term)?
        } else {
            return Ok(Node { content: Content::Term(term), parenthesised: node.parenthesised });
        };
        Ok(Node { content: Content::Logic(logic), parenthesised: false })
    }

    fn between(&mut self, value: Term<'t>) -> Parsed<Logic<'t>> {
        self.count_operator()?;
        self.advance();
        let lower = self.term()?.0;
        if !self.skip_keyword("AND") {
            return Err(self.syntax_error());
        }
        let upper = self.term()?.0;
        Ok(Logic::Between { value, lower, upper })
    }

    fn is_in(&mut self, value: Term<'t>) -> Parsed<Logic<'t>> {
        self.count_operator()?;
        self.advance();
        self.expect(TokenKind::Open)?;
        let candidates = self.terms()?;
        Ok(Logic::In { value, candidates })
    }

    /// Terms with commas between them, and the closing parenthesis.
    pub fn terms(&mut self) -> Parsed<Vec<Term<'t>>> {
        let mut terms = vec![self.term()?.0];
        while self.peek() == TokenKind::Comma {
            self.advance();
            terms.push(self.term()?.0);
        }
        self.expect(TokenKind::Close)?;
        Ok(terms)
    }

    /// A term, and whether it stands in parentheses.
    pub fn term(&mut self) -> Parsed<(Term<'t>, bool)> {
        if self.peek() != TokenKind::Open {
            return Ok((self.plain_term()?, false));
        }
        self.open()?;
        let (term, parenthesised) = self.term()?;
        self.close(parenthesised)?;
        Ok((term, true))
    }

    /// A term that does not begin with a parenthesis.
    pub fn plain_term(&mut self) -> Parsed<Term<'t>> {
        match self.peek() {
            TokenKind::ValuePlaceholder => Ok(Term::Value(self.advance())),
            TokenKind::NamePlaceholder => Ok(Term::Path(self.path()?)),
            _ => {
                let word = self.word()?;
                if self.peek() == TokenKind::Open {
                    return self.call(word).map(Term::Call);
                }
                self.note_reserved(word);
                self.path_from(RawName::Literal(word)).map(Term::Path)
            }
        }
    }

    fn call(&mut self, name: &'t str) -> Parsed<Call<'t>> {
        self.calls.push(name);
        if self.calls.len() > CALLS_MAX {
            return Err(self.calls_too_deep());
        }
        self.expect(TokenKind::Open)?;
        let arguments = self.terms()?;
        self.calls.pop();
        Ok(Call { name, arguments })
    }

    /// What is wrong with functions in functions in functions: the outermost that may not stand where it stands, or
    /// else the innermost, which is given a number.
    fn calls_too_deep(&mut self) -> ExpressionError {
        if !self.is_balanced() {
            return self.syntax_error();
        }
        let kind = self.kind;
        let outermost = self.calls.iter().enumerate().find_map(|(place, name)| match kind {
            ExpressionKind::Update => update::problem(name, place == 0).map(|problem| (name, problem)),
            // Where the outermost one stands is not known any more: it gets the benefit of the doubt.
            _ if place == 0 && problem(name, true).is_none() => None,
            _ => problem(name, false).map(|problem| (name, problem)),
        });
        match outermost {
            Some((name, problem)) => ExpressionError::invalid(kind, format!("{problem}; function: {name}")),
            None => ExpressionError::invalid(
                kind,
                "Incorrect operand type for operator or function; operator or function: size, operand type: N",
            ),
        }
    }

    fn logic(&self, node: Node<'t>) -> Parsed<Logic<'t>> {
        match node.content {
            Content::Logic(logic) => Ok(logic),
            Content::Term(Term::Call(call)) => Ok(Logic::Call(call)),
            Content::Term(_) => Err(self.syntax_error()),
        }
    }
}

fn comparator(kind: TokenKind) -> Option<Comparator> {
    match kind {
        TokenKind::Equal => Some(Comparator::Equal),
        TokenKind::NotEqual => Some(Comparator::NotEqual),
        TokenKind::Less => Some(Comparator::Less),
        TokenKind::LessOrEqual => Some(Comparator::LessOrEqual),
        TokenKind::Greater => Some(Comparator::Greater),
        TokenKind::GreaterOrEqual => Some(Comparator::GreaterOrEqual),
        _ => None,
    }
}

/// The first function that does not exist or may not stand where it stands.
fn misplaced_in_logic(logic: &Logic<'_>, kind: ExpressionKind) -> Option<ExpressionError> {
    match logic {
        Logic::And(operands) | Logic::Or(operands) => {
            operands.iter().find_map(|operand| misplaced_in_logic(operand, kind))
        }
        Logic::Not(operand) => misplaced_in_logic(operand, kind),
        Logic::Compare { left, right, .. } => misplaced_in_term(left, kind).or_else(|| misplaced_in_term(right, kind)),
        Logic::Between { value, lower, upper } => {
            [value, lower, upper].into_iter().find_map(|term| misplaced_in_term(term, kind))
        }
        Logic::In { value, candidates } => {
            misplaced_in_term(value, kind).or_else(|| candidates.iter().find_map(|term| misplaced_in_term(term, kind)))
        }
        Logic::Call(call) => misplaced_call(call, kind, true),
    }
}

fn misplaced_in_term(term: &Term<'_>, kind: ExpressionKind) -> Option<ExpressionError> {
    match term {
        Term::Path(_) | Term::Value(_) => None,
        Term::Call(call) => misplaced_call(call, kind, false),
    }
}

fn misplaced_call(call: &Call<'_>, kind: ExpressionKind, as_condition: bool) -> Option<ExpressionError> {
    let name = call.name;
    match problem(name, as_condition) {
        Some(problem) => Some(ExpressionError::invalid(kind, format!("{problem}; function: {name}"))),
        None => call.arguments.iter().find_map(|argument| misplaced_in_term(argument, kind)),
    }
}

/// Why a function may not stand as a condition, or as an operand.
fn problem(name: &str, as_condition: bool) -> Option<&'static str> {
    match name {
        "attribute_exists" | "attribute_not_exists" | "attribute_type" | "begins_with" | "contains" if as_condition => {
            None
        }
        "size" if !as_condition => None,
        "attribute_exists" | "attribute_not_exists" | "attribute_type" | "begins_with" | "contains" | "size" => {
            Some("The function is not allowed to be used this way in an expression")
        }
        "if_not_exists" | "list_append" => Some("The function is not allowed in a condition expression"),
        _ => Some("Invalid function name"),
    }
}
