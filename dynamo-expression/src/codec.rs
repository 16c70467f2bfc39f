//! The binary form in which conditions, updates and projections travel inside log commands.
//!
//! Hand-written and tagged; the enclosing command carries the version. Tags are never reused: what is read here may
//! have been written by an older build. Layout, with the alphabet of [`dynamo_protocol::varint`]:
//!
//! ```text
//! path       = root · count · { 0 · text name | 1 · varint index | 2 · again }
//! root       = text name | text "" · again
//! again      = varint                              which of the long names, or large values, before this one
//! operand    = 1 · path | 2 · value | 3 · operand | 4 · again | 5 · condition
//!                                                       path, value, size, value, truth
//! condition  = 1 · count · { condition } | 2 · count · { condition }      AND, OR
//!            | 3 · condition                                              NOT
//!            | 4 · comparator · operand · operand
//!            | 5 · operand · operand · operand                            BETWEEN
//!            | 6 · operand · count · { operand }                          IN
//!            | 7 · path | 8 · path | 9 · operand · type                   exists, not exists, type
//!            | 10 · operand · operand | 11 · operand · operand            begins with, contains
//! right side = 1 · path | 2 · value | 3 · path · right side | 4…6 · right side · right side | 7 · again
//!                                                       path, value, if_not_exists, list_append, plus, minus, value
//! action     = 1 · path · right side | 2 · path | 3 · path · value | 4 · path · value | 5 · path · again
//!            | 6 · path · again                         SET, REMOVE, ADD, DELETE, ADD, DELETE
//! update     = origin · count · { action }
//! projection = count · { path }
//! ```
//!
//! A long name or a large value that an expression uses several times is written once and counted from 0 in the order
//! of first use, names and values apart; where it comes again stands its number. So an expression takes no more bytes
//! than the request that it came in, and is shared again when it is read.
//!
//! Reading is total: any bytes give a value or an error, within a bounded depth.

use std::collections::HashMap;
use std::sync::Arc;

use dynamo_protocol::binary::{decode_value, encode_value};
use dynamo_protocol::value::AttributeValue;
use dynamo_protocol::varint::{
    DecodeError, read_count, read_str, read_u8, read_u64, write_bytes, write_u64, write_usize,
};

use crate::condition::{Comparator, Condition, Operand, TypeName};
use crate::name::Name;
use crate::parse::DEPTH_MAX;
use crate::path::{Path, Step};
use crate::projection::Projection;
use crate::update::{Action, Origin, Update, Value};

/// Nothing that was parsed nests deeper.
const LEVELS_MAX: usize = 2 * DEPTH_MAX;

/// The order of this list is the numbering of comparators.
const COMPARATORS: [Comparator; 6] = [
    Comparator::Equal,
    Comparator::NotEqual,
    Comparator::Less,
    Comparator::LessOrEqual,
    Comparator::Greater,
    Comparator::GreaterOrEqual,
];

/// Names and texts up to this length are written each time: a number would save little.
const SHORT_BYTES_MAX: usize = 32;

/// Whether a name is worth a number.
fn is_long(name: &str) -> bool {
    name.len() > SHORT_BYTES_MAX
}

/// Whether a value is worth a number; without looking into it.
fn is_large(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::S(text) => text.len() > SHORT_BYTES_MAX,
        AttributeValue::B(bytes) => bytes.len() > SHORT_BYTES_MAX,
        AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => false,
        AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => true,
        AttributeValue::L(elements) => !elements.is_empty(),
        AttributeValue::M(entries) => !entries.is_empty(),
    }
}

/// One expression being written.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Numbers of what was written, by address.
    names: HashMap<*const u8, usize>,
    values: HashMap<*const AttributeValue, usize>,
}

impl<'o> Writer<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        Writer { out, names: HashMap::new(), values: HashMap::new() }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::And(operands) => self.all(1, operands),
            Condition::Or(operands) => self.all(2, operands),
            Condition::Not(operand) => {
                self.out.push(3);
                self.condition(operand);
            }
            Condition::Compare { operator, left, right } => {
                let place = COMPARATORS.iter().position(|known| known == operator);
                self.out.extend([4, place.expect("the list has all comparators") as u8]);
                self.operands([left, right]);
            }
            Condition::Between { value, lower, upper } => {
                self.out.push(5);
                self.operands([value, lower, upper]);
            }
            Condition::In { value, candidates } => {
                self.out.push(6);
                self.operand(value);
                write_usize(self.out, candidates.len());
                self.operands(candidates);
            }
            Condition::Exists(path) => self.tagged_path(7, path),
            Condition::NotExists(path) => self.tagged_path(8, path),
            Condition::HasType(value, name) => {
                self.out.push(9);
                self.operand(value);
                let place = TypeName::ALL.iter().position(|known| *known == name.as_str());
                self.out.push(place.expect("the list has all types") as u8);
            }
            Condition::BeginsWith(value, prefix) => {
                self.out.push(10);
                self.operands([value, prefix]);
            }
            Condition::Contains(value, part) => {
                self.out.push(11);
                self.operands([value, part]);
            }
        }
    }

    fn all(&mut self, tag: u8, operands: &[Condition]) {
        self.out.push(tag);
        write_usize(self.out, operands.len());
        operands.iter().for_each(|operand| self.condition(operand));
    }

    fn operands<'e>(&mut self, operands: impl IntoIterator<Item = &'e Operand>) {
        operands.into_iter().for_each(|operand| self.operand(operand));
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Path(path) => self.tagged_path(1, path),
            Operand::Value(value) => self.value([2, 4], None, value),
            Operand::Size(operand) => {
                self.out.push(3);
                self.operand(operand);
            }
            Operand::Truth(condition) => {
                self.out.push(5);
                self.condition(condition);
            }
        }
    }

    /// A value behind the first tag, or behind the second one its number; `path` stands between them.
    fn value(&mut self, [tag, tag_again]: [u8; 2], path: Option<&Path>, value: &Arc<AttributeValue>) {
        let next = self.values.len();
        let known = if is_large(value) {
            let number = *self.values.entry(Arc::as_ptr(value)).or_insert(next);
            (number < next).then_some(number)
        } else {
            None
        };
        self.out.push(if known.is_some() { tag_again } else { tag });
        if let Some(path) = path {
            self.path(path);
        }
        match known {
            Some(number) => write_usize(self.out, number),
            None => encode_value(value, self.out),
        }
    }

    fn tagged_path(&mut self, tag: u8, path: &Path) {
        self.out.push(tag);
        self.path(path);
    }

    fn path(&mut self, path: &Path) {
        match self.known(path.root_name()) {
            Some(number) => {
                write_bytes(self.out, b"");
                write_usize(self.out, number);
            }
            None => write_bytes(self.out, path.root().as_bytes()),
        }
        write_usize(self.out, path.steps().len());
        for step in path.steps() {
            match step {
                Step::Name(name) => match self.known(name) {
                    Some(number) => {
                        self.out.push(2);
                        write_usize(self.out, number);
                    }
                    None => {
                        self.out.push(0);
                        write_bytes(self.out, name.as_bytes());
                    }
                },
                Step::Index(index) => {
                    self.out.push(1);
                    write_u64(self.out, u64::from(*index));
                }
            }
        }
    }

    /// The number of a name that was written before.
    fn known(&mut self, name: &Name) -> Option<usize> {
        if !is_long(name) {
            return None;
        }
        let next = self.names.len();
        let number = *self.names.entry(name.address()).or_insert(next);
        (number < next).then_some(number)
    }

    fn update(&mut self, update: &Update) {
        self.out.push(match update.origin() {
            Origin::Expression => 1,
            Origin::AttributeUpdates => 2,
        });
        write_usize(self.out, update.actions().len());
        for action in update.actions() {
            match action {
                Action::Set(path, value) => {
                    self.tagged_path(1, path);
                    self.right_side(value);
                }
                Action::Remove(path) => self.tagged_path(2, path),
                Action::Add(path, value) => self.value([3, 5], Some(path), value),
                Action::Delete(path, value) => self.value([4, 6], Some(path), value),
            }
        }
    }

    fn right_side(&mut self, value: &Value) {
        match value {
            Value::ListAppend(left, right) => self.pair(4, left, right),
            Value::Plus(left, right) => self.pair(5, left, right),
            Value::Minus(left, right) => self.pair(6, left, right),
            Value::Path(path) => self.tagged_path(1, path),
            Value::Value(value) => self.value([2, 7], None, value),
            Value::IfNotExists(path, fallback) => {
                self.tagged_path(3, path);
                self.right_side(fallback);
            }
        }
    }

    fn pair(&mut self, tag: u8, left: &Value, right: &Value) {
        self.out.push(tag);
        self.right_side(left);
        self.right_side(right);
    }
}

/// One expression being read.
struct Reader<'b, 'i> {
    bytes: &'b mut &'i [u8],
    names: Vec<Name>,
    values: Vec<Arc<AttributeValue>>,
}

impl<'b, 'i> Reader<'b, 'i> {
    fn new(bytes: &'b mut &'i [u8]) -> Self {
        Reader { bytes, names: Vec::new(), values: Vec::new() }
    }

    fn tag(&mut self) -> Result<u8, DecodeError> {
        read_u8(self.bytes)
    }

    fn condition(&mut self, levels: usize) -> Result<Condition, DecodeError> {
        let levels = levels.checked_sub(1).ok_or(DecodeError::TooDeep)?;
        let tag = self.tag()?;
        Ok(match tag {
            1 | 2 => {
                let operands = self.many(|reader| reader.condition(levels))?;
                if tag == 1 { Condition::And(operands) } else { Condition::Or(operands) }
            }
            3 => Condition::Not(Box::new(self.condition(levels)?)),
            4 => {
                let place = self.tag()?;
                let operator = *COMPARATORS.get(usize::from(place)).ok_or(DecodeError::Tag(place))?;
                let left = self.operand(levels)?;
                Condition::Compare { operator, left, right: self.operand(levels)? }
            }
            5 => {
                let value = self.operand(levels)?;
                let lower = self.operand(levels)?;
                Condition::Between { value, lower, upper: self.operand(levels)? }
            }
            6 => {
                let value = self.operand(levels)?;
                Condition::In { value, candidates: self.many(|reader| reader.operand(levels))? }
            }
            7 => Condition::Exists(self.path()?),
            8 => Condition::NotExists(self.path()?),
            9 => {
                let value = self.operand(levels)?;
                let place = self.tag()?;
                let name = TypeName::ALL.get(usize::from(place)).and_then(|name| TypeName::parse(name));
                Condition::HasType(value, name.ok_or(DecodeError::Tag(place))?)
            }
            10 => Condition::BeginsWith(self.operand(levels)?, self.operand(levels)?),
            11 => Condition::Contains(self.operand(levels)?, self.operand(levels)?),
            tag => return Err(DecodeError::Tag(tag)),
        })
    }

    fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
        let count = read_count(self.bytes)?;
        (0..count).map(|_| one(self)).collect()
    }

    fn operand(&mut self, levels: usize) -> Result<Operand, DecodeError> {
        let levels = levels.checked_sub(1).ok_or(DecodeError::TooDeep)?;
        Ok(match self.tag()? {
            1 => Operand::Path(self.path()?),
            2 => Operand::Value(self.value()?),
            3 => Operand::Size(Box::new(self.operand(levels)?)),
            4 => Operand::Value(self.value_again()?),
            5 => Operand::Truth(Box::new(self.condition(levels)?)),
            tag => return Err(DecodeError::Tag(tag)),
        })
    }

    fn value(&mut self) -> Result<Arc<AttributeValue>, DecodeError> {
        let value = Arc::new(decode_value(self.bytes)?);
        if is_large(&value) {
            self.values.push(Arc::clone(&value));
        }
        Ok(value)
    }

    fn value_again(&mut self) -> Result<Arc<AttributeValue>, DecodeError> {
        again(self.bytes, &self.values)
    }

    fn path(&mut self) -> Result<Path, DecodeError> {
        let root = match read_str(self.bytes)? {
            "" => again(self.bytes, &self.names)?,
            name => self.name(name),
        };
        let steps = self.many(|reader| match reader.tag()? {
            0 => {
                let name = read_str(reader.bytes)?;
                Ok(Step::Name(reader.name(name)))
            }
            1 => u32::try_from(read_u64(reader.bytes)?).map(Step::Index).map_err(|_| DecodeError::Integer),
            2 => again(reader.bytes, &reader.names).map(Step::Name),
            tag => Err(DecodeError::Tag(tag)),
        })?;
        Ok(Path::new(root, steps))
    }

    fn name(&mut self, text: &str) -> Name {
        let name = Name::from(text);
        if is_long(&name) {
            self.names.push(name.clone());
        }
        name
    }

    fn update(&mut self) -> Result<Update, DecodeError> {
        let origin = match self.tag()? {
            1 => Origin::Expression,
            2 => Origin::AttributeUpdates,
            tag => return Err(DecodeError::Tag(tag)),
        };
        let actions = self.many(|reader| {
            let tag = reader.tag()?;
            let path = reader.path()?;
            Ok(match tag {
                1 => Action::Set(path, reader.right_side(LEVELS_MAX)?),
                2 => Action::Remove(path),
                3 => Action::Add(path, reader.value()?),
                4 => Action::Delete(path, reader.value()?),
                5 => Action::Add(path, reader.value_again()?),
                6 => Action::Delete(path, reader.value_again()?),
                tag => return Err(DecodeError::Tag(tag)),
            })
        })?;
        Ok(Update::from_origin(origin, actions))
    }

    fn right_side(&mut self, levels: usize) -> Result<Value, DecodeError> {
        let levels = levels.checked_sub(1).ok_or(DecodeError::TooDeep)?;
        let below = |reader: &mut Self| reader.right_side(levels).map(Box::new);
        Ok(match self.tag()? {
            1 => Value::Path(self.path()?),
            2 => Value::Value(self.value()?),
            3 => Value::IfNotExists(self.path()?, below(self)?),
            4 => Value::ListAppend(below(self)?, below(self)?),
            5 => Value::Plus(below(self)?, below(self)?),
            6 => Value::Minus(below(self)?, below(self)?),
            7 => Value::Value(self.value_again()?),
            tag => return Err(DecodeError::Tag(tag)),
        })
    }
}

/// Reads a number, and gives what it stands for.
fn again<T: Clone>(bytes: &mut &[u8], known: &[T]) -> Result<T, DecodeError> {
    let number = usize::try_from(read_u64(bytes)?).map_err(|_| DecodeError::Integer)?;
    known.get(number).cloned().ok_or(DecodeError::Integer)
}

impl Condition {
    /// Appends the binary form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::new(out).condition(self);
    }

    /// Reads what [`Condition::encode`] wrote and steps behind it.
    ///
    /// # Errors
    /// Bytes that it cannot have written.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Reader::new(bytes).condition(LEVELS_MAX)
    }
}

impl Update {
    /// Appends the binary form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::new(out).update(self);
    }

    /// Reads what [`Update::encode`] wrote and steps behind it.
    ///
    /// # Errors
    /// Bytes that it cannot have written.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Reader::new(bytes).update()
    }
}

impl Projection {
    /// Appends the binary form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        write_usize(writer.out, self.paths().len());
        self.paths().iter().for_each(|path| writer.path(path));
    }

    /// Reads what [`Projection::encode`] wrote and steps behind it.
    ///
    /// # Errors
    /// Bytes that it cannot have written.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok(Projection::new(Reader::new(bytes).many(Reader::path)?))
    }
}
