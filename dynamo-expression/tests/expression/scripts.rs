//! Runs every script under `tests/scripts` and compares what it prints with what stands in it.
//!
//! A script is a list of commands, each followed by its output; `#` begins a comment line. `UPDATE_SCRIPTS=1 cargo
//! test -p dynamo-expression` writes the outputs anew; the difference is what gets reviewed.
//!
//! ```text
//! > names #a=a #b=b.c          the names and values of the following commands; nothing: none
//! > values :v='x' :n=1
//! > item {a: 'x', l: [1, 2]}   the item of the following commands
//! > enveloped                  the following commands are those of PutItem; `bare` ends it
//! > condition TEXT             filter, key, projection, update: parse and print
//! > eval TEXT                  parse a condition and evaluate it
//! > project TEXT               parse a projection and apply it
//! > apply TEXT                 parse an update, apply it; `touched TEXT` prints UPDATED_OLD and UPDATED_NEW, too
//! > plan h:S a:S b:N | TEXT    parse a key condition and plan it: partition first, then sort attributes
//! > finish TEXT                parse a condition, then look for what is unused
//! > expected OR a: NE 'x'; b: exists false
//! > filter_of a: BETWEEN 1 2; b: NULL       (expected, filter_of, keys_of: attribute: operator values)
//! > keys_of h:S | a: EQ 1
//! > updates a: PUT 1; b: DELETE
//! > parameters 'x' [1, 2]      the parameters of the following statements
//! > statement TEXT             parse a PartiQL statement and print what it says
//! > canonical TEXT             parse a statement and print it as a statement
//! > partitions h s | TEXT      the partitions that a statement's WHERE clause names, by partition and sort attribute
//! > primary h s | TEXT         the one item that it names
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dynamo_expression::legacy::{self, AttributeUpdate, Comparison, Expected};
use dynamo_expression::partiql::{self, Naming, Select, Statement};
use dynamo_expression::{
    Condition, ExpressionError, ExpressionKind, KeyColumn, KeyCondition, Placeholders, Projection, Steps,
};
use dynamo_protocol::value::{AttributeValue, Item};

use crate::{notation, printer};

#[test]
fn all_scripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let renew = std::env::var_os("UPDATE_SCRIPTS").is_some();
    for file in files {
        let script = std::fs::read_to_string(&file).unwrap();
        let output = run(&script);
        if renew {
            std::fs::write(&file, output).unwrap();
        } else if output != script {
            let (number, (want, got)) =
                script.lines().zip(output.lines()).enumerate().find(|(_, (want, got))| want != got).unwrap_or_default();
            panic!("{}:{}\n  wanted: {want}\n     got: {got}", file.display(), number + 1);
        }
    }
}

/// The script with the outputs that its commands have now.
fn run(script: &str) -> String {
    let mut state = State::default();
    let mut output = String::new();
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(output, "{line}").unwrap();
            let printed = state.run(command);
            if !printed.is_empty() {
                writeln!(output, "{printed}").unwrap();
            }
        } else if line.is_empty() || line.starts_with('#') {
            writeln!(output, "{line}").unwrap();
        }
    }
    output
}

#[derive(Default)]
struct State {
    names: Option<BTreeMap<String, String>>,
    values: Option<BTreeMap<String, AttributeValue>>,
    item: Item,
    enveloped: bool,
    parameters: Vec<AttributeValue>,
}

type Printed = Result<String, ExpressionError>;

impl State {
    fn run(&mut self, command: &str) -> String {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        match verb {
            "names" => self.names = names(rest),
            "values" => self.values = values(rest),
            "item" => self.item = notation::item(rest).0,
            "enveloped" => self.enveloped = true,
            "bare" => self.enveloped = false,
            "parameters" => self.parameters = all_values(rest),
            _ => return self.print(verb, rest).unwrap_or_else(|error| format!("error: {error}")),
        }
        String::new()
    }

    fn placeholders(&self) -> Placeholders<'_> {
        let placeholders = Placeholders::new(self.names.as_ref(), self.values.as_ref());
        if self.enveloped { placeholders.enveloped() } else { placeholders }
    }

    fn print(&self, verb: &str, text: &str) -> Printed {
        let placeholders = self.placeholders();
        match verb {
            "condition" => {
                placeholders.condition(ExpressionKind::Condition, text).map(|parsed| printer::condition(&parsed))
            }
            "filter" => placeholders.condition(ExpressionKind::Filter, text).map(|parsed| printer::condition(&parsed)),
            "key" => placeholders.key_condition(text).map(|parsed| printer::key_condition(&parsed)),
            "projection" => placeholders.projection(text).map(|parsed| printer::projection(&parsed)),
            "update" => placeholders.update(text).map(|parsed| printer::update(&parsed)),
            "eval" => {
                let holds = |parsed: Condition| parsed.eval(&self.item, &Steps::unlimited()).unwrap();
                placeholders.condition(ExpressionKind::Filter, text).map(|parsed| holds(parsed).to_string())
            }
            "project" => {
                let project = |parsed: Projection| parsed.project(&self.item, &Steps::unlimited()).unwrap();
                placeholders.projection(text).map(|parsed| printer::item(&project(parsed)))
            }
            "apply" => self.apply(text, false),
            "touched" => self.apply(text, true),
            "plan" => {
                let (columns, text) = text.split_once(" | ").expect("columns | text");
                plan(columns, &placeholders.key_condition(text)?)
            }
            "finish" => {
                placeholders.condition(ExpressionKind::Condition, text)?;
                placeholders.finish().map(|()| "all used".to_owned())
            }
            "statement" => match Statement::parse(text, &self.parameters)? {
                Statement::Select(Select { mismatch: Some(error), .. }) => Err(error),
                parsed => Ok(printer::statement(&parsed)),
            },
            "canonical" => Statement::canonical(text),
            "partitions" | "primary" => self.keys(verb, text),
            "expected" | "filter_of" | "keys_of" | "updates" | "get" => old(verb, text),
            other => panic!("unknown command {other}"),
        }
    }

    fn apply(&self, text: &str, touched: bool) -> Printed {
        let update = self.placeholders().update(text)?;
        let mut item = self.item.clone();
        let result = update.apply(&mut item);
        if result.is_err() {
            assert_eq!(item, self.item, "a failed update leaves the item as it was");
        }
        result?;
        let mut printed = printer::item(&item);
        if touched {
            let old = printer::item(&update.touched(&self.item));
            let new = printer::item(&update.touched(&item));
            write!(printed, "\nold {old}\nnew {new}").unwrap();
        }
        Ok(printed)
    }
}

impl State {
    fn keys(&self, verb: &str, text: &str) -> Printed {
        let (names, text) = text.split_once(" | ").expect("names | statement");
        let names: Vec<&str> = names.split(' ').collect();
        let statement = Statement::parse(text, &self.parameters)?;
        let Statement::Select(Select { condition: Some(condition), .. }) = statement else {
            panic!("a SELECT with a WHERE clause");
        };
        if verb == "primary" {
            let found = partiql::primary_key(Some(&condition), &names, Naming::EqualityOrIn);
            return Ok(found.map_or("none".to_owned(), |found| {
                format!("{}{}", printer::item(&found.key), printer::residual(found.residual.as_ref()))
            }));
        }
        let found = partiql::partitions(&condition, names[0], names.get(1).copied())?;
        Ok(found.map_or("scan".to_owned(), |found| printer::partitions(&found)))
    }
}

fn all_values(mut text: &str) -> Vec<AttributeValue> {
    let mut values = Vec::new();
    while !text.trim().is_empty() {
        let (value, rest) = notation::value(text.trim_start());
        values.push(value);
        text = rest;
    }
    values
}

fn names(text: &str) -> Option<BTreeMap<String, String>> {
    match text {
        "" => None,
        "empty" => Some(BTreeMap::new()),
        _ => Some(
            text.split(' ')
                .map(|pair| pair.split_once('=').expect("#name=name"))
                .map(|(key, name)| (key.to_owned(), name.to_owned()))
                .collect(),
        ),
    }
}

fn values(mut text: &str) -> Option<BTreeMap<String, AttributeValue>> {
    match text {
        "" => return None,
        "empty" => return Some(BTreeMap::new()),
        _ => {}
    }
    let mut values = BTreeMap::new();
    while !text.trim().is_empty() {
        let (key, rest) = text.trim_start().split_once('=').expect(":key=value");
        let (value, rest) = notation::value(rest);
        values.insert(key.to_owned(), value);
        text = rest;
    }
    Some(values)
}

/// The first column is the partition attribute, unless several are marked with `*`.
fn plan(columns: &str, condition: &KeyCondition) -> Printed {
    let columns: Vec<(bool, KeyColumn<'_>)> = columns
        .split(' ')
        .map(|column| column.split_once(':').expect("name:type"))
        .map(|(name, kind)| match name.strip_prefix('*') {
            Some(name) => (true, KeyColumn { name, kind }),
            None => (false, KeyColumn { name, kind }),
        })
        .collect();
    let marked = columns.iter().filter(|(partition, _)| *partition).count().max(1);
    let columns: Vec<KeyColumn<'_>> = columns.into_iter().map(|(_, column)| column).collect();
    let (partition, sort) = columns.split_at(marked);
    condition.plan(partition, sort).map(|matched| printer::key_match(&matched))
}

/// One attribute of an old parameter: its name, the word behind it, and the values.
struct Clause {
    name: String,
    word: String,
    values: Option<Vec<AttributeValue>>,
}

fn clauses(text: &str) -> Vec<Clause> {
    let one = |clause: &str| {
        let (name, rest) = clause.trim().split_once(':').expect("name: word values");
        let (word, mut rest) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let mut values = Vec::new();
        let given = !rest.is_empty();
        while !rest.trim().is_empty() && rest.trim() != "none" {
            let (value, behind) = notation::value(rest);
            values.push(value);
            rest = behind;
        }
        Clause { name: name.to_owned(), word: word.to_owned(), values: given.then_some(values) }
    };
    text.split(';').filter(|clause| !clause.trim().is_empty()).map(one).collect()
}

fn old(verb: &str, text: &str) -> Printed {
    if verb == "get" {
        let names: Vec<String> = text.split(' ').map(ToOwned::to_owned).collect();
        return legacy::attributes_to_get(&names).map(|parsed| printer::projection(&parsed));
    }
    let (before, text) = text.split_once(" | ").unwrap_or(("", text));
    let clauses = clauses(text);
    let operator = (!before.is_empty()).then_some(before);
    let comparisons = || {
        clauses.iter().map(|clause| {
            let comparison =
                Comparison { operator: &clause.word, values: clause.values.as_deref().unwrap_or_default() };
            (clause.name.as_str(), comparison)
        })
    };
    match verb {
        "filter_of" => {
            legacy::check_conditional_operator(operator, Some(clauses.len()))?;
            legacy::filter(comparisons(), operator).map(|parsed| printer::condition(&parsed))
        }
        "keys_of" => plan(before, &legacy::key_conditions(comparisons(), false)?),
        "expected" => {
            let attributes = clauses.iter().map(|clause| (clause.name.as_str(), expected(clause)));
            legacy::expected(attributes, operator).map(|parsed| printer::condition(&parsed))
        }
        _ => {
            let attributes = clauses.iter().map(|clause| {
                let value = clause.values.as_ref().and_then(|values| values.first());
                (clause.name.as_str(), AttributeUpdate { action: Some(&clause.word), value })
            });
            legacy::attribute_updates(attributes).map(|parsed| printer::update(&parsed))
        }
    }
}

/// `EXISTS`, `ABSENT` and `UNSAID` stand for `Exists` true, false and not given; `VALUE+LT` gives `Value` with the
/// operator, `LIST+LT` both, `EXISTS+LT` both.
fn expected(clause: &Clause) -> Expected<'_> {
    let list = clause.values.as_deref();
    let first = list.and_then(<[AttributeValue]>::first);
    let (before, operator) = match clause.word.split_once('+') {
        Some((before, operator)) => (before, Some(operator)),
        None => (clause.word.as_str(), None),
    };
    match before {
        "EXISTS" => Expected { exists: Some(true), value: first, operator, values: None },
        "ABSENT" => Expected { exists: Some(false), value: first, operator, values: None },
        "UNSAID" => Expected { exists: None, value: first, operator, values: None },
        "VALUE" => Expected { exists: None, value: first, operator, values: None },
        "LIST" => Expected { exists: None, value: operator.and(first), operator, values: list },
        operator => Expected { exists: None, value: None, operator: Some(operator), values: list },
    }
}
