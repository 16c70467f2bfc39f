//! From the tree to conditions, updates and items: literals become values, parameters are put in, operands are checked.

use std::collections::BTreeSet;
use std::sync::Arc;

use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};

use crate::condition::{Comparator, Condition, Operand, TypeName};
use crate::error::{ExpressionError, ExpressionKind};
use crate::path::Path;
use crate::update::{Action, Update, Value};

use super::statement::{NESTED_TOO_DEEP, column_name};
use super::text::token::Position;
use super::text::tree::{IsTest, Node, SelectTree, SetOrRemove, Term, Tree};
use super::{Change, Column, Delete, Insert, Select, Statement, malformed};

type Lowered<T> = Result<T, ExpressionError>;

/// Levels of lists and maps that a literal may have.
const VALUE_DEPTH_MAX: usize = 31;

/// The most values behind IN.
const CANDIDATES_MAX: usize = 100;

/// Types that have an order, so that `<` and its kin take them.
const ORDERED: [&str; 3] = ["S", "N", "B"];

/// Puts the parameters into a statement that has `count` question marks.
///
/// # Errors
/// The first mistake in the order of the text.
pub fn statement(tree: Tree, count: usize, parameters: &[AttributeValue]) -> Lowered<Statement> {
    if parameters.len() < count {
        return Err(ExpressionError::bare("Number of parameters in request and statement don't match."));
    }
    let lower = Lower { parameters };
    Ok(match tree {
        Tree::Select(tree) => Statement::Select(lower.select(tree)?),
        Tree::Exists(tree) => Statement::Exists(lower.select(tree)?),
        Tree::Insert { target, at, value } => {
            if target.index.is_some() {
                return Err(ExpressionError::bare(format!(
                    "FROM clause may only contain a single table name in data manipulation statements at {at}"
                )));
            }
            Statement::Insert(Insert { table: target.table, item: lower.item(&value)? })
        }
        Tree::Update { target, actions, condition, returning } => {
            let update = lower.update(&actions)?;
            Statement::Update(Change { target, update, condition: lower.optional(condition)?, returning })
        }
        Tree::Delete { target, condition, returning } => {
            if let Some(returning) = returning.filter(|returning| returning.modified || returning.new) {
                return Err(ExpressionError::bare(format!(
                    "Invalid returning clause: {returning}. Only RETURNING ALL OLD * is allowed in DELETE statements."
                )));
            }
            Statement::Delete(Delete { target, condition: lower.optional(condition)?, returning })
        }
    })
}

struct Lower<'p> {
    parameters: &'p [AttributeValue],
}

/// Statements.
impl Lower<'_> {
    fn select(&self, tree: SelectTree) -> Lowered<Select> {
        let columns = tree.columns.map(|paths| self.columns(paths)).transpose()?;
        let condition = self.optional(tree.condition)?;
        Ok(Select { target: tree.target, columns, mismatch: tree.mismatch, condition, order: tree.order })
    }

    fn columns(&self, paths: Vec<Path>) -> Lowered<Vec<Column>> {
        let mut names = BTreeSet::new();
        let mut columns = Vec::with_capacity(paths.len());
        for path in paths {
            let name = column_name(&path);
            if !names.insert(name.clone()) {
                return Err(ExpressionError::bare(format!("Duplicate identifiers in select clause: {name}")));
            }
            columns.push(Column { path, name });
        }
        Ok(columns)
    }

    fn optional(&self, term: Option<Term>) -> Lowered<Option<Condition>> {
        term.map(|term| self.condition(&term)).transpose()
    }

    /// The item of an INSERT: a map, written out or a parameter.
    fn item(&self, term: &Term) -> Lowered<Item> {
        if let Node::Map(members) = &term.node {
            // An attribute of the item itself is no step of a place.
            let member = |(name, term): &(String, Term)| Ok((named(name)?, self.value(term, "root", 0)?));
            return members.iter().map(member).collect();
        }
        match self.value(term, "root", 0)? {
            AttributeValue::M(item) => Ok(item),
            _ => Err(ExpressionError::bare("Unsupported data type: VALUE must be a tuple")),
        }
    }

    fn update(&self, actions: &[SetOrRemove]) -> Lowered<Update> {
        let mut lowered = Vec::with_capacity(actions.len());
        for action in actions {
            let (SetOrRemove::Set(path, _) | SetOrRemove::Remove(path)) = action;
            for name in path.names() {
                named(name)?;
            }
            lowered.push(match action {
                SetOrRemove::Remove(path) => Action::Remove(path.clone()),
                SetOrRemove::Set(path, term) => self.assignment(path, term)?,
            });
        }
        crate::overlap::check(ExpressionKind::Update, lowered.iter().map(Action::path))?;
        Ok(Update::new(lowered))
    }

    fn assignment(&self, path: &Path, term: &Term) -> Lowered<Action> {
        if let Node::Call(name, arguments) = &term.node {
            if name.eq_ignore_ascii_case("set_add") {
                let members = self.members("SET_ADD", path, term.at, arguments)?;
                return Ok(Action::Add(path.clone(), Arc::new(members)));
            }
            if name.eq_ignore_ascii_case("set_delete") {
                let members = self.members("SET_DELETE", path, term.at, arguments)?;
                return Ok(Action::Delete(path.clone(), Arc::new(members)));
            }
        }
        Ok(Action::Set(path.clone(), self.source(term)?))
    }

    /// The set that `set_add` or `set_delete` takes, whose first argument names the assigned path once more.
    fn members(&self, function: &str, path: &Path, at: Position, arguments: &[Term]) -> Lowered<AttributeValue> {
        let [first, second] = arguments else {
            return Err(ExpressionError::bare(format!("{function} must have exactly two arguments at {at}")));
        };
        if !matches!(&first.node, Node::Path(named) if named == path) {
            let text = format!("The first argument to {function} must equal the assignment value at {at}");
            return Err(ExpressionError::bare(text));
        }
        match &second.node {
            Node::Bag(_) | Node::Parameter(_) => match self.value(second, "root", 0)? {
                set if set.is_set() => Ok(set),
                _ => Err(no_set(function, first.at)),
            },
            _ => Err(no_set(function, first.at)),
        }
    }

    /// The right side of an assignment.
    fn source(&self, term: &Term) -> Lowered<Value> {
        Ok(match &term.node {
            Node::Path(path) => Value::Path(path.clone()),
            Node::Infix(operator @ ("+" | "-"), left, right) => {
                let (left, right) = (self.source(left)?, self.source(right)?);
                for operand in [&left, &right] {
                    if let Value::Value(value) = operand
                        && !matches!(**value, AttributeValue::N(_))
                    {
                        return Err(wrong_type(operator, value.type_name()));
                    }
                }
                match *operator {
                    "+" => Value::Plus(Box::new(left), Box::new(right)),
                    _ => Value::Minus(Box::new(left), Box::new(right)),
                }
            }
            Node::Call(name, arguments) => self.function(name, term.at, arguments)?,
            _ => Value::Value(Arc::new(self.value(term, "root", 0)?)),
        })
    }

    fn function(&self, name: &str, at: Position, arguments: &[Term]) -> Lowered<Value> {
        let name = name.to_ascii_lowercase();
        if name != "list_append" && name != "if_not_exists" {
            return Err(unrecognized(&name, at));
        }
        let [first, second] = arguments else { return Err(wrong_count(&name, arguments.len())) };
        let (first, second) = (self.source(first)?, self.source(second)?);
        match (name.as_str(), first) {
            ("if_not_exists", Value::Path(path)) => Ok(Value::IfNotExists(path, Box::new(second))),
            ("if_not_exists", _) => Err(wants_path(&name)),
            (_, first) => {
                for operand in [&first, &second] {
                    refuse_unless(operand, |value| matches!(value, AttributeValue::L(_)))?;
                }
                Ok(Value::ListAppend(Box::new(first), Box::new(second)))
            }
        }
    }
}

/// Conditions.
impl Lower<'_> {
    fn condition(&self, term: &Term) -> Lowered<Condition> {
        match &term.node {
            Node::And(terms) => Ok(Condition::And(self.conditions(terms)?)),
            Node::Or(terms) => Ok(Condition::Or(self.conditions(terms)?)),
            Node::Not(term) => Ok(Condition::Not(Box::new(self.condition(term)?))),
            Node::Infix(operator, left, right) => self.comparison(operator, left, right),
            Node::Between(parts) => {
                let [value, lower, upper] = &**parts;
                let [value, lower, upper] = [self.operand(value)?, self.operand(lower)?, self.operand(upper)?];
                for operand in [&value, &lower, &upper] {
                    typed("BETWEEN", operand, &ORDERED)?;
                }
                Ok(Condition::Between { value, lower, upper })
            }
            Node::In(value, candidates) => {
                Ok(Condition::In { value: self.operand(value)?, candidates: self.candidates(candidates)? })
            }
            Node::Is(value, test) => self.is(value, test),
            Node::Call(name, arguments) => self.predicate(name, term.at, arguments),
            // Anything else has no truth of its own: `WHERE a`.
            _ => Err(malformed("Unexpected term")),
        }
    }

    fn conditions(&self, terms: &[Term]) -> Lowered<Vec<Condition>> {
        terms.iter().map(|term| self.condition(term)).collect()
    }

    fn comparison(&self, operator: &str, left: &Term, right: &Term) -> Lowered<Condition> {
        let comparator = match operator {
            "=" => Comparator::Equal,
            "<>" => Comparator::NotEqual,
            "<" => Comparator::Less,
            "<=" => Comparator::LessOrEqual,
            ">" => Comparator::Greater,
            ">=" => Comparator::GreaterOrEqual,
            _ => return Err(unsupported(operator)),
        };
        // `attribute_exists(a) = true` says what `attribute_exists(a)` says, also of a key.
        for (call, constant) in [(left, right), (right, left)] {
            if let (Node::Call(name, arguments), Node::Bool(truth)) = (&call.node, &constant.node)
                && !name.eq_ignore_ascii_case("size")
                && matches!(comparator, Comparator::Equal | Comparator::NotEqual)
            {
                let predicate = self.predicate(name, call.at, arguments)?;
                let holds = *truth == (comparator == Comparator::Equal);
                return Ok(if holds { predicate } else { Condition::Not(Box::new(predicate)) });
            }
        }
        let (left, right) = (self.operand(left)?, self.operand(right)?);
        if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
            for operand in [&left, &right] {
                typed(operator, operand, &ORDERED)?;
            }
        }
        Ok(Condition::Compare { operator: comparator, left, right })
    }

    fn candidates(&self, term: &Term) -> Lowered<Vec<Operand>> {
        let candidates: Vec<Operand> = match &term.node {
            Node::List(terms) | Node::Bag(terms) => {
                terms.iter().map(|term| self.operand(term)).collect::<Lowered<_>>()?
            }
            Node::Parameter(_) => match self.value(term, "root", 0)? {
                AttributeValue::L(values) => values.into_iter().map(Arc::new).map(Operand::Value).collect(),
                other => vec![Operand::Value(Arc::new(other))],
            },
            _ => vec![self.operand(term)?],
        };
        match candidates.len() {
            1..=CANDIDATES_MAX => Ok(candidates),
            0 => Err(malformed("Unexpected term")),
            count => Err(ExpressionError::bare(format!(
                "The IN operator is provided with too many operands; number of operands: {count}"
            ))),
        }
    }

    fn is(&self, value: &Term, test: &IsTest) -> Lowered<Condition> {
        match test {
            IsTest::Type(name) => {
                let types = types_of(name).ok_or_else(|| unsupported("IsType"))?;
                let value = self.operand(value)?;
                let mut tests: Vec<Condition> =
                    types.iter().map(|kind| Condition::HasType(value.clone(), *kind)).collect();
                Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Condition::Or(tests) })
            }
            IsTest::Missing => self.path("IS MISSING", value).map(Condition::NotExists),
            IsTest::Null => {
                let null = TypeName::parse("NULL").expect("NULL is the name of a type");
                Ok(Condition::HasType(self.operand(value)?, null))
            }
        }
    }

    /// A function that is true or false.
    fn predicate(&self, name: &str, at: Position, arguments: &[Term]) -> Lowered<Condition> {
        let name = name.to_ascii_lowercase();
        let count = match name.as_str() {
            "attribute_exists" | "attribute_not_exists" => 1,
            "attribute_type" | "begins_with" | "contains" => 2,
            _ => return Err(unrecognized(&name, at)),
        };
        if arguments.len() != count {
            return Err(wrong_count(&name, arguments.len()));
        }
        let second = || self.operand(&arguments[1]);
        match name.as_str() {
            "attribute_exists" => self.path(&name, &arguments[0]).map(Condition::Exists),
            "attribute_not_exists" => self.path(&name, &arguments[0]).map(Condition::NotExists),
            "attribute_type" => {
                let path = self.path(&name, &arguments[0])?;
                Ok(Condition::HasType(Operand::Path(path), type_name(second()?)?))
            }
            "begins_with" => {
                let (value, prefix) = (self.operand(&arguments[0])?, second()?);
                for operand in [&value, &prefix] {
                    typed(&name, operand, &["S", "B"])?;
                }
                Ok(Condition::BeginsWith(value, prefix))
            }
            _ => Ok(Condition::Contains(self.operand(&arguments[0])?, second()?)),
        }
    }

    fn operand(&self, term: &Term) -> Lowered<Operand> {
        match &term.node {
            Node::Path(path) => Ok(Operand::Path(path.clone())),
            Node::Call(name, arguments) if name.eq_ignore_ascii_case("size") => match &arguments[..] {
                [only] => Ok(Operand::Size(Box::new(Operand::Path(self.path("size", only)?)))),
                _ => Err(wrong_count("size", arguments.len())),
            },
            Node::Infix(operator @ ("+" | "-"), ..) => Err(unsupported(operator)),
            // What is true or false is a value, too.
            Node::Call(..)
            | Node::Infix(..)
            | Node::And(_)
            | Node::Or(_)
            | Node::Not(_)
            | Node::Between(_)
            | Node::In(..)
            | Node::Is(..) => self.condition(term).map(Box::new).map(Operand::Truth),
            _ => self.value(term, "root", 0).map(Arc::new).map(Operand::Value),
        }
    }

    fn path(&self, function: &str, term: &Term) -> Lowered<Path> {
        match &term.node {
            Node::Path(path) => Ok(path.clone()),
            _ => Err(wants_path(function)),
        }
    }
}

/// Values.
impl Lower<'_> {
    /// The value of a literal or parameter; `place` is where errors say it stands: `root.x[1]`.
    fn value(&self, term: &Term, place: &str, depth: usize) -> Lowered<AttributeValue> {
        if depth > VALUE_DEPTH_MAX {
            return Err(ExpressionError::bare(format!("{NESTED_TOO_DEEP} under {place}")));
        }
        match &term.node {
            Node::Text(text) => Ok(AttributeValue::S(text.clone())),
            Node::Number(digits) => number(digits, place).map(AttributeValue::N),
            Node::Bool(truth) => Ok(AttributeValue::Bool(*truth)),
            Node::Null => Ok(AttributeValue::Null),
            // Inside a list or map the service takes none.
            Node::Parameter(index) if depth == 0 => Ok(self.parameters[*index].clone()),
            Node::Parameter(_) => Err(unsupported_type("Parameter", place, term.at)),
            Node::List(terms) => {
                let members = terms.iter().enumerate();
                let member = |(at, term)| self.value(term, &format!("{place}[{at}]"), depth + 1);
                members.map(member).collect::<Lowered<_>>().map(AttributeValue::L)
            }
            Node::Map(members) => {
                let member = |(name, term): &(String, Term)| {
                    Ok((named(name)?, self.value(term, &format!("{place}.{name}"), depth + 1)?))
                };
                members.iter().map(member).collect::<Lowered<_>>().map(AttributeValue::M)
            }
            Node::Bag(terms) => set(terms, place),
            Node::Missing => Err(unsupported_type("missing", place, term.at)),
            Node::Call(name, _) => Err(unsupported_type(&name.to_ascii_lowercase(), place, term.at)),
            Node::Path(path) => Err(unsupported_type(path.root(), place, term.at)),
            Node::Infix(operator, ..) => Err(unsupported_type(operator, place, term.at)),
            Node::And(_) | Node::Or(_) | Node::Not(_) | Node::Between(_) | Node::In(..) | Node::Is(..) => {
                Err(unsupported_type("boolean expression", place, term.at))
            }
        }
    }
}

/// The name of an attribute, which is not empty.
fn named(name: &str) -> Lowered<String> {
    if name.is_empty() { Err(ExpressionError::bare("Empty attribute name")) } else { Ok(name.to_owned()) }
}

fn number(digits: &str, place: &str) -> Lowered<Number> {
    Number::parse(digits).map_err(|error| ExpressionError::bare(format!("{error} under {place}")))
}

/// A set from the members of a bag: numbers only or strings only, each once.
fn set(terms: &[Term], place: &str) -> Lowered<AttributeValue> {
    let Some(first) = terms.first() else { return Err(ExpressionError::bare("Empty bags are not supported")) };
    let mixed = || {
        ExpressionError::bare("Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags")
    };
    if let Node::Text(_) = first.node {
        let text = |term: &Term| match &term.node {
            Node::Text(text) => Ok(text.clone()),
            _ => Err(mixed()),
        };
        let members = terms.iter().map(text).collect::<Lowered<Vec<String>>>()?;
        let duplicates =
            |shown| ExpressionError::parameters(format!("Input collection [{shown}] contains duplicates."));
        return distinct(&members, members.clone()).map(AttributeValue::Ss).map_err(duplicates);
    }
    let digits = |term: &Term| match &term.node {
        Node::Number(digits) => Ok(digits.clone()),
        _ => Err(mixed()),
    };
    let digits = terms.iter().map(digits).collect::<Lowered<Vec<String>>>()?;
    let members = digits.iter().map(|digits| number(digits, place)).collect::<Lowered<Vec<Number>>>()?;
    let duplicates =
        |shown| ExpressionError::parameters(format!("Input collection [{shown}] contains duplicates! under {place}"));
    distinct(&digits, members).map(AttributeValue::Ns).map_err(duplicates)
}

/// The members in ascending order; what stands in the text, where two are the same.
fn distinct<T: Ord>(shown: &[String], mut members: Vec<T>) -> Result<Vec<T>, String> {
    members.sort_unstable();
    if members.windows(2).any(|pair| pair[0] == pair[1]) { Err(shown.join(", ")) } else { Ok(members) }
}

/// DynamoDB's types that are a type of PartiQL; `None` for one that it has no value of.
fn types_of(name: &str) -> Option<Vec<TypeName>> {
    let types: &[&str] = match name {
        "BOOL" | "BOOLEAN" => &["BOOL"],
        "STRING" => &["S"],
        "NUMERIC" => &["N"],
        "BLOB" => &["B"],
        "LIST" => &["L"],
        "STRUCT" | "TUPLE" => &["M"],
        "BAG" => &["SS", "NS", "BS"],
        _ => return None,
    };
    types.iter().map(|name| TypeName::parse(name)).collect()
}

/// The second operand of `attribute_type`.
fn type_name(operand: Operand) -> Lowered<TypeName> {
    let text = match operand {
        Operand::Value(value) => match Arc::unwrap_or_clone(value) {
            AttributeValue::S(text) => text,
            other => return Err(wrong_type("attribute_type", other.type_name())),
        },
        Operand::Size(_) => return Err(wrong_type("attribute_type", "N")),
        Operand::Truth(_) => return Err(wrong_type("attribute_type", "BOOL")),
        Operand::Path(_) => return Err(wrong_type("attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")),
    };
    TypeName::parse(&text).ok_or_else(|| {
        ExpressionError::bare(format!(
            "Invalid attribute type name found; type: {text}, valid types: {{N,BS,L,B,NULL,M,S,SS,NS,BOOL}}"
        ))
    })
}

/// Checks the type of an operand where it is known.
fn typed(operator: &str, operand: &Operand, allowed: &[&str]) -> Lowered<()> {
    let known = match operand {
        Operand::Path(_) => return Ok(()),
        Operand::Value(value) => value.type_name(),
        Operand::Size(_) => "N",
        Operand::Truth(_) => "BOOL",
    };
    if allowed.contains(&known) { Ok(()) } else { Err(wrong_type(operator, known)) }
}

fn refuse_unless(operand: &Value, fits: impl Fn(&AttributeValue) -> bool) -> Lowered<()> {
    match operand {
        Value::Value(value) if !fits(value) => {
            Err(ExpressionError::bare("An operand in the update expression has an incorrect data type"))
        }
        _ => Ok(()),
    }
}

fn wrong_type(operator: &str, operand_type: &str) -> ExpressionError {
    ExpressionError::bare(format!(
        "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {operand_type}"
    ))
}

fn wrong_count(function: &str, count: usize) -> ExpressionError {
    ExpressionError::bare(format!(
        "Incorrect number of operands for operator or function; operator or function: {function}, number of operands: \
         {count}"
    ))
}

fn wants_path(function: &str) -> ExpressionError {
    ExpressionError::bare(format!("Operator or function requires a document path; operator or function: {function}"))
}

fn unrecognized(function: &str, at: Position) -> ExpressionError {
    ExpressionError::bare(format!("Unrecognized function: {function} at {at}"))
}

fn unsupported(operation: &str) -> ExpressionError {
    ExpressionError::bare(format!("Unsupported operation: {operation}"))
}

fn unsupported_type(what: &str, place: &str, at: Position) -> ExpressionError {
    ExpressionError::bare(format!("Unsupported data type: {what} under key {place} at {at}"))
}

fn no_set(function: &str, at: Position) -> ExpressionError {
    ExpressionError::bare(format!("The second argument to {function} must be a value with type SET at {at}"))
}
