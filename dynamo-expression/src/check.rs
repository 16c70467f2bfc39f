//! From tree to checked expression: placeholders replaced, operands counted, types checked as far as they are known.
//!
//! The walk goes through the clauses in the order of the text and reports the first problem it meets: DynamoDB
//! answers an undefined value in the first clause before a wrong type in the second, and the other way round (captures
//! of October 2026). Within a clause all operands are replaced first, inner functions before outer ones; then come the
//! number of operands, operands that must differ, and types.
//!
//! Types are known where the operand is a value of the request or a `size`; a path may lead to anything.

use std::cell::Cell;

use dynamo_protocol::limits::{EXPRESSION_OPERATORS_MAX, IN_OPERANDS_MAX};
use dynamo_protocol::value::AttributeValue;

use crate::compare::order;
use crate::condition::{Comparator, Condition, Operand, TypeName};
use crate::error::{ExpressionError, ExpressionKind};
use crate::parse::{Parsed, too_many_operators};
use crate::path::Path;
use crate::placeholders::Placeholders;
use crate::tree::{Call, Logic, RawAction, RawSum, RawUpdate, Term};
use crate::update::{Action, Update, Value};

/// The types that have an order.
const ORDERED: &[&str] = &["S", "N", "B"];
/// The types whose beginning can be looked at.
const PREFIXED: &[&str] = &["S", "B"];
/// The types that can contain something.
const CONTAINERS: &[&str] = &["S", "B", "SS", "NS", "BS", "L"];
/// The types that have a size.
const SIZED: &[&str] = &["S", "B", "SS", "NS", "BS", "L", "M"];

/// What DynamoDB calls the type of a path: everything it could be, its internal types included (seen in 2026).
const ANY_TYPE: &str = "{S,SS,N,NS,B,BS,BOOL,NULL,L,M,HD,DOUBLE,FLOAT,HDS,FS,DOUBLESET,DICT,DECIMAL,INT,DECIMALSET,\
                        INTSET}";

/// The checks of one expression.
pub struct Checker<'p, 'r> {
    placeholders: &'p Placeholders<'r>,
    kind: ExpressionKind,
    /// Operators and functions so far.
    operators: Cell<usize>,
}

impl<'p, 'r> Checker<'p, 'r> {
    /// A checker of an expression in which the parser counted that many operators.
    pub fn new(placeholders: &'p Placeholders<'r>, kind: ExpressionKind, operators: usize) -> Self {
        Checker { placeholders, kind, operators: Cell::new(operators) }
    }

    /// Counts a function whose operands were checked: functions share the limit of operators, but a wrong operand deep
    /// inside is reported before there are too many of them.
    fn count_function(&self) -> Parsed<()> {
        let count = self.operators.get() + 1;
        self.operators.set(count);
        if count > EXPRESSION_OPERATORS_MAX { Err(too_many_operators(self.kind, count)) } else { Ok(()) }
    }

    fn invalid<T>(&self, text: impl std::fmt::Display) -> Parsed<T> {
        Err(ExpressionError::invalid(self.kind, text))
    }

    /// A condition of any of the three kinds.
    pub fn logic(&self, logic: &Logic<'_>) -> Parsed<Condition> {
        match logic {
            Logic::And(operands) => Ok(Condition::And(self.all(operands)?)),
            Logic::Or(operands) => Ok(Condition::Or(self.all(operands)?)),
            Logic::Not(operand) => Ok(Condition::Not(Box::new(self.logic(operand)?))),
            Logic::Compare { operator, left, right } => self.comparison(*operator, left, right),
            Logic::Between { value, lower, upper } => self.between(value, lower, upper),
            Logic::In { value, candidates } => self.is_in(value, candidates),
            Logic::Call(call) => self.function(call),
        }
    }

    fn all(&self, operands: &[Logic<'_>]) -> Parsed<Vec<Condition>> {
        operands.iter().map(|operand| self.logic(operand)).collect()
    }

    fn comparison(&self, operator: Comparator, left: &Term<'_>, right: &Term<'_>) -> Parsed<Condition> {
        let left = self.operand(left)?;
        let right = self.operand(right)?;
        self.distinct(operator.symbol(), &left, [&right])?;
        if !matches!(operator, Comparator::Equal | Comparator::NotEqual) {
            self.typed(operator.symbol(), &left, ORDERED)?;
            self.typed(operator.symbol(), &right, ORDERED)?;
        }
        Ok(Condition::Compare { operator, left, right })
    }

    fn between(&self, value: &Term<'_>, lower: &Term<'_>, upper: &Term<'_>) -> Parsed<Condition> {
        let value = self.operand(value)?;
        let lower = self.operand(lower)?;
        let upper = self.operand(upper)?;
        self.distinct("BETWEEN", &value, [&lower, &upper])?;
        for operand in [&value, &lower, &upper] {
            self.typed("BETWEEN", operand, ORDERED)?;
        }
        if let (Operand::Value(lower), Operand::Value(upper)) = (&lower, &upper) {
            self.bounds(lower, upper)?;
        }
        Ok(Condition::Between { value, lower, upper })
    }

    fn bounds(&self, lower: &AttributeValue, upper: &AttributeValue) -> Parsed<()> {
        let problem = match order(lower, upper) {
            Some(order) if order.is_le() => return Ok(()),
            Some(_) => "upper bound to be greater than or equal to lower bound",
            None => "same data type for lower and upper bounds",
        };
        self.invalid(format!(
            "The BETWEEN operator requires {problem}; lower bound operand: AttributeValue: {}, upper bound operand: \
             AttributeValue: {}",
            shown(lower),
            shown(upper)
        ))
    }

    fn is_in(&self, value: &Term<'_>, candidates: &[Term<'_>]) -> Parsed<Condition> {
        let value = self.operand(value)?;
        let candidates = self.operands(candidates)?;
        if candidates.len() > IN_OPERANDS_MAX {
            let count = candidates.len();
            return self
                .invalid(format!("The IN operator is provided with too many operands; number of operands: {count}"));
        }
        self.distinct("IN", &value, &candidates)?;
        Ok(Condition::In { value, candidates })
    }

    fn function(&self, call: &Call<'_>) -> Parsed<Condition> {
        let operands = self.operands(&call.arguments)?;
        let expected = if matches!(call.name, "attribute_exists" | "attribute_not_exists") { 1 } else { 2 };
        self.counted(call, expected)?;
        self.distinct(call.name, &operands[0], &operands[1..])?;
        self.count_function()?;
        let mut operands = operands.into_iter();
        let first = operands.next().expect("a call has at least one argument, by the grammar");
        match (call.name, operands.next()) {
            ("attribute_exists", None) => Ok(Condition::Exists(self.document_path(call.name, first)?)),
            ("attribute_not_exists", None) => Ok(Condition::NotExists(self.document_path(call.name, first)?)),
            ("attribute_type", Some(second)) => {
                let name = self.type_name(&second)?;
                Ok(Condition::HasType(first, name))
            }
            ("begins_with", Some(second)) => {
                self.typed(call.name, &first, PREFIXED)?;
                self.typed(call.name, &second, PREFIXED)?;
                Ok(Condition::BeginsWith(first, second))
            }
            (_, second) => {
                self.typed(call.name, &first, CONTAINERS)?;
                let part = second.expect("contains was checked to have two operands");
                Ok(Condition::Contains(first, part))
            }
        }
    }

    fn operands(&self, terms: &[Term<'_>]) -> Parsed<Vec<Operand>> {
        terms.iter().map(|term| self.operand(term)).collect()
    }

    fn operand(&self, term: &Term<'_>) -> Parsed<Operand> {
        match term {
            Term::Path(raw) => self.placeholders.path(self.kind, raw).map(Operand::Path),
            Term::Value(placeholder) => self.placeholders.value(self.kind, placeholder).map(Operand::Value),
            // The parser lets no other function through in this place.
            Term::Call(call) => {
                let operands = self.operands(&call.arguments)?;
                self.counted(call, 1)?;
                let operand = operands.into_iter().next().expect("just counted");
                self.typed(call.name, &operand, SIZED)?;
                self.count_function()?;
                Ok(Operand::Size(Box::new(operand)))
            }
        }
    }

    fn counted(&self, call: &Call<'_>, expected: usize) -> Parsed<()> {
        let count = call.arguments.len();
        if count == expected {
            return Ok(());
        }
        self.invalid(format!(
            "Incorrect number of operands for operator or function; operator or function: {}, number of operands: \
             {count}",
            call.name
        ))
    }

    /// A path may not be compared with itself.
    fn distinct<'o>(
        &self,
        operator: &str,
        first: &Operand,
        others: impl IntoIterator<Item = &'o Operand>,
    ) -> Parsed<()> {
        let Operand::Path(path) = first else { return Ok(()) };
        if others.into_iter().all(|other| !matches!(other, Operand::Path(other) if other == path)) {
            return Ok(());
        }
        self.invalid(format!(
            "The first operand must be distinct from the remaining operands for this operator or function; operator: \
             {operator}, first operand: {path}"
        ))
    }

    fn document_path(&self, function: &str, operand: Operand) -> Parsed<Path> {
        match operand {
            Operand::Path(path) => Ok(path),
            _ => {
                self.invalid(format!("Operator or function requires a document path; operator or function: {function}"))
            }
        }
    }

    /// Checks the type of an operand where it is known.
    fn typed(&self, operator: &str, operand: &Operand, allowed: &[&str]) -> Parsed<()> {
        let known = match operand {
            Operand::Path(_) => return Ok(()),
            Operand::Value(value) => value.type_name(),
            Operand::Size(_) => "N",
            Operand::Truth(_) => "BOOL",
        };
        if allowed.contains(&known) { Ok(()) } else { self.wrong_type(operator, known) }
    }

    fn wrong_type<T>(&self, operator: &str, operand_type: &str) -> Parsed<T> {
        self.invalid(format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, operand type: \
             {operand_type}"
        ))
    }

    /// The second operand of `attribute_type`: a string of the request that names a type.
    fn type_name(&self, operand: &Operand) -> Parsed<TypeName> {
        let text = match operand {
            Operand::Value(value) => match value.as_ref() {
                AttributeValue::S(text) => text,
                other => return self.wrong_type("attribute_type", other.type_name()),
            },
            Operand::Size(_) => return self.wrong_type("attribute_type", "N"),
            Operand::Truth(_) => return self.wrong_type("attribute_type", "BOOL"),
            Operand::Path(_) => return self.wrong_type("attribute_type", ANY_TYPE),
        };
        match TypeName::parse(text) {
            Some(name) => Ok(name),
            None => self.invalid(format!(
                "Invalid attribute type name found; type: {text}, valid types: {{{}}}",
                TypeName::ALL.join(",")
            )),
        }
    }

    /// An update. After all placeholders come paths that get in each other's way, then the types of ADD and DELETE,
    /// then the functions of SET (an order that DynamoDB's answers to doubly wrong updates show).
    pub fn update(&self, raw: &RawUpdate<'_>) -> Parsed<Update> {
        let actions: Vec<Action> = raw.actions.iter().map(|raw| self.action(raw)).collect::<Parsed<_>>()?;
        crate::overlap::check(self.kind, actions.iter().map(Action::path))?;
        for action in &actions {
            self.action_types(action)?;
        }
        for (action, raw) in actions.iter().zip(&raw.actions) {
            if let (Action::Set(_, value), RawAction::Set { value: raw, .. }) = (action, raw) {
                self.sum(value, raw)?;
            }
        }
        Ok(Update::new(actions))
    }

    fn action(&self, raw: &RawAction<'_>) -> Parsed<Action> {
        let kind = self.kind;
        Ok(match raw {
            RawAction::Set { path, value } => {
                let path = self.placeholders.path(kind, path)?;
                Action::Set(path, self.unchecked_sum(value)?)
            }
            RawAction::Remove { path } => Action::Remove(self.placeholders.path(kind, path)?),
            RawAction::Add { path, value } => {
                Action::Add(self.placeholders.path(kind, path)?, self.placeholders.value(kind, value)?)
            }
            RawAction::Delete { path, value } => {
                Action::Delete(self.placeholders.path(kind, path)?, self.placeholders.value(kind, value)?)
            }
        })
    }

    fn unchecked_sum(&self, raw: &RawSum<'_>) -> Parsed<Value> {
        Ok(match raw {
            RawSum::Just(term) => self.unchecked_value(term)?,
            RawSum::Plus(left, right) => {
                Value::Plus(Box::new(self.unchecked_value(left)?), Box::new(self.unchecked_value(right)?))
            }
            RawSum::Minus(left, right) => {
                Value::Minus(Box::new(self.unchecked_value(left)?), Box::new(self.unchecked_value(right)?))
            }
        })
    }

    /// The value of a term, its functions not yet checked. A function with a wrong number of operands or without its
    /// path becomes some value that [`Checker::sum`] refuses before anyone sees it.
    fn unchecked_value(&self, term: &Term<'_>) -> Parsed<Value> {
        let call = match term {
            Term::Path(raw) => return self.placeholders.path(self.kind, raw).map(Value::Path),
            Term::Value(placeholder) => return self.placeholders.value(self.kind, placeholder).map(Value::Value),
            Term::Call(call) => call,
        };
        let values: Vec<Value> = call.arguments.iter().map(|term| self.unchecked_value(term)).collect::<Parsed<_>>()?;
        let mut values = values.into_iter();
        let first = values.next().expect("a call has at least one argument, by the grammar");
        let Some(second) = values.next() else { return Ok(first) };
        Ok(match (call.name, first) {
            ("if_not_exists", Value::Path(path)) => Value::IfNotExists(path, Box::new(second)),
            ("if_not_exists", other) => other,
            (_, first) => Value::ListAppend(Box::new(first), Box::new(second)),
        })
    }

    fn action_types(&self, action: &Action) -> Parsed<()> {
        let (operator, value, allowed) = match action {
            Action::Add(_, value) => ("ADD", value, value.is_set() || matches!(**value, AttributeValue::N(_))),
            Action::Delete(_, value) => ("DELETE", value, value.is_set()),
            Action::Set(..) | Action::Remove(_) => return Ok(()),
        };
        if allowed {
            return Ok(());
        }
        // The type set is that of ADD for DELETE, too: seen on the service in 2026.
        self.invalid(format!(
            "Incorrect operand type for operator or function; operator: {operator}, operand type: {}, typeSet: \
             ALLOWED_FOR_ADD_OPERAND",
            long_type_name(value)
        ))
    }

    fn sum(&self, value: &Value, raw: &RawSum<'_>) -> Parsed<()> {
        match (value, raw) {
            (Value::Plus(left, right), RawSum::Plus(raw_left, raw_right)) => {
                self.addends("+", [left, right], [raw_left, raw_right])
            }
            (Value::Minus(left, right), RawSum::Minus(raw_left, raw_right)) => {
                self.addends("-", [left, right], [raw_left, raw_right])
            }
            (value, RawSum::Just(raw)) => self.set_function(value, raw),
            _ => Ok(()),
        }
    }

    fn addends(&self, operator: &str, values: [&Value; 2], raw: [&Term<'_>; 2]) -> Parsed<()> {
        for (value, raw) in values.into_iter().zip(raw) {
            self.set_function(value, raw)?;
        }
        for value in values {
            if let Value::Value(value) = value
                && !matches!(**value, AttributeValue::N(_))
            {
                return self.wrong_type(operator, value.type_name());
            }
        }
        Ok(())
    }

    fn set_function(&self, value: &Value, raw: &Term<'_>) -> Parsed<()> {
        let Term::Call(call) = raw else { return Ok(()) };
        self.counted(call, 2)?;
        self.count_function()?;
        match value {
            _ if call.name == "if_not_exists" && !matches!(call.arguments[0], Term::Path(_)) => {
                self.invalid("Operator or function requires a document path; operator or function: if_not_exists")
            }
            Value::IfNotExists(_, fallback) => self.set_function(fallback, &call.arguments[1]),
            Value::ListAppend(left, right) => {
                self.set_function(left, &call.arguments[0])?;
                self.set_function(right, &call.arguments[1])?;
                for operand in [left, right] {
                    if let Value::Value(value) = operand.as_ref()
                        && !matches!(**value, AttributeValue::L(_))
                    {
                        return self.wrong_type(call.name, value.type_name());
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The long names of types, which only the messages of ADD and DELETE have. `BOOL` was `BOOLEAN` before 2026.
fn long_type_name(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "STRING",
        AttributeValue::N(_) => "NUMBER",
        AttributeValue::B(_) => "BINARY",
        AttributeValue::Bool(_) => "BOOL",
        AttributeValue::Null => "NULL",
        AttributeValue::Ss(_) => "STRING_SET",
        AttributeValue::Ns(_) => "NUMBER_SET",
        AttributeValue::Bs(_) => "BINARY_SET",
        AttributeValue::L(_) => "LIST",
        AttributeValue::M(_) => "MAP",
    }
}

/// A scalar as messages show it: `{N:5}`, binaries in base64.
fn shown(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) => format!("{{S:{text}}}"),
        AttributeValue::N(number) => format!("{{N:{number}}}"),
        AttributeValue::B(bytes) => format!("{{B:{}}}", base64(bytes)),
        other => format!("{{{}}}", other.type_name()),
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = (group >> (18 - 6 * place)) as usize & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}
