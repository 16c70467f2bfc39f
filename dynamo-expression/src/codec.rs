//! The binary form in which conditions, updates and projections travel inside log commands.
//!
//! Hand-written and tagged; the enclosing command carries the version. Tags are never reused: what is read here may
//! have been written by an older build. Layout, with the alphabet of [`dynamo_protocol::varint`]:
//!
//! ```text
//! path       = text root · count · { 0 · text name | 1 · varint index }
//! operand    = 1 · path | 2 · value | 3 · operand                         path, value, size
//! condition  = 1 · count · { condition } | 2 · count · { condition }      AND, OR
//!            | 3 · condition                                              NOT
//!            | 4 · comparator · operand · operand
//!            | 5 · operand · operand · operand                            BETWEEN
//!            | 6 · operand · count · { operand }                          IN
//!            | 7 · path | 8 · path | 9 · operand · type                   exists, not exists, type
//!            | 10 · operand · operand | 11 · operand · operand            begins with, contains
//! right side = 1 · path | 2 · value | 3 · path · right side | 4…6 · right side · right side
//!                                                       path, value, if_not_exists, list_append, plus, minus
//! action     = 1 · path · right side | 2 · path | 3 · path · value | 4 · path · value
//!                                                       SET, REMOVE, ADD, DELETE
//! update     = origin · count · { action }
//! projection = count · { path }
//! ```
//!
//! Reading is total: any bytes give a value or an error, within a bounded depth.

use dynamo_protocol::binary::{decode_value, encode_value};
use dynamo_protocol::varint::{
    DecodeError, read_count, read_str, read_u8, read_u64, write_bytes, write_u64, write_usize,
};

use crate::condition::{Comparator, Condition, Operand, TypeName};
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

impl Condition {
    /// Appends the binary form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Condition::And(operands) => encode_all(1, operands, out),
            Condition::Or(operands) => encode_all(2, operands, out),
            Condition::Not(operand) => {
                out.push(3);
                operand.encode(out);
            }
            Condition::Compare { operator, left, right } => {
                let place = COMPARATORS.iter().position(|known| known == operator);
                out.extend([4, place.expect("the list has all comparators") as u8]);
                encode_operands([left, right], out);
            }
            Condition::Between { value, lower, upper } => {
                out.push(5);
                encode_operands([value, lower, upper], out);
            }
            Condition::In { value, candidates } => {
                out.push(6);
                encode_operand(value, out);
                write_usize(out, candidates.len());
                encode_operands(candidates, out);
            }
            Condition::Exists(path) => encode_tagged_path(7, path, out),
            Condition::NotExists(path) => encode_tagged_path(8, path, out),
            Condition::HasType(value, name) => {
                out.push(9);
                encode_operand(value, out);
                let place = TypeName::ALL.iter().position(|known| *known == name.as_str());
                out.push(place.expect("the list has all types") as u8);
            }
            Condition::BeginsWith(value, prefix) => {
                out.push(10);
                encode_operands([value, prefix], out);
            }
            Condition::Contains(value, part) => {
                out.push(11);
                encode_operands([value, part], out);
            }
        }
    }

    /// Reads what [`Condition::encode`] wrote and steps behind it.
    ///
    /// # Errors
    /// Bytes that it cannot have written.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        decode_condition(bytes, LEVELS_MAX)
    }
}

fn encode_all(tag: u8, operands: &[Condition], out: &mut Vec<u8>) {
    out.push(tag);
    write_usize(out, operands.len());
    operands.iter().for_each(|operand| operand.encode(out));
}

fn decode_condition(bytes: &mut &[u8], levels: usize) -> Result<Condition, DecodeError> {
    let levels = levels.checked_sub(1).ok_or(DecodeError::TooDeep)?;
    let tag = read_u8(bytes)?;
    Ok(match tag {
        1 | 2 => {
            let operands = decode_many(bytes, |bytes| decode_condition(bytes, levels))?;
            if tag == 1 { Condition::And(operands) } else { Condition::Or(operands) }
        }
        3 => Condition::Not(Box::new(decode_condition(bytes, levels)?)),
        4 => {
            let place = read_u8(bytes)?;
            let operator = *COMPARATORS.get(usize::from(place)).ok_or(DecodeError::Tag(place))?;
            let left = decode_operand(bytes, levels)?;
            Condition::Compare { operator, left, right: decode_operand(bytes, levels)? }
        }
        5 => {
            let value = decode_operand(bytes, levels)?;
            let lower = decode_operand(bytes, levels)?;
            Condition::Between { value, lower, upper: decode_operand(bytes, levels)? }
        }
        6 => {
            let value = decode_operand(bytes, levels)?;
            Condition::In { value, candidates: decode_many(bytes, |bytes| decode_operand(bytes, levels))? }
        }
        7 => Condition::Exists(decode_path(bytes)?),
        8 => Condition::NotExists(decode_path(bytes)?),
        9 => {
            let value = decode_operand(bytes, levels)?;
            let place = read_u8(bytes)?;
            let name = TypeName::ALL.get(usize::from(place)).and_then(|name| TypeName::parse(name));
            Condition::HasType(value, name.ok_or(DecodeError::Tag(place))?)
        }
        10 => Condition::BeginsWith(decode_operand(bytes, levels)?, decode_operand(bytes, levels)?),
        11 => Condition::Contains(decode_operand(bytes, levels)?, decode_operand(bytes, levels)?),
        tag => return Err(DecodeError::Tag(tag)),
    })
}

fn decode_many<T>(
    bytes: &mut &[u8],
    mut one: impl FnMut(&mut &[u8]) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = read_count(bytes)?;
    (0..count).map(|_| one(bytes)).collect()
}

fn encode_operands<'o>(operands: impl IntoIterator<Item = &'o Operand>, out: &mut Vec<u8>) {
    operands.into_iter().for_each(|operand| encode_operand(operand, out));
}

fn encode_operand(operand: &Operand, out: &mut Vec<u8>) {
    match operand {
        Operand::Path(path) => encode_tagged_path(1, path, out),
        Operand::Value(value) => {
            out.push(2);
            encode_value(value, out);
        }
        Operand::Size(operand) => {
            out.push(3);
            encode_operand(operand, out);
        }
    }
}

fn decode_operand(bytes: &mut &[u8], levels: usize) -> Result<Operand, DecodeError> {
    let levels = levels.checked_sub(1).ok_or(DecodeError::TooDeep)?;
    Ok(match read_u8(bytes)? {
        1 => Operand::Path(decode_path(bytes)?),
        2 => Operand::Value(decode_value(bytes)?),
        3 => Operand::Size(Box::new(decode_operand(bytes, levels)?)),
        tag => return Err(DecodeError::Tag(tag)),
    })
}

fn encode_tagged_path(tag: u8, path: &Path, out: &mut Vec<u8>) {
    out.push(tag);
    encode_path(path, out);
}

fn encode_path(path: &Path, out: &mut Vec<u8>) {
    write_bytes(out, path.root().as_bytes());
    write_usize(out, path.steps().len());
    for step in path.steps() {
        match step {
            Step::Name(name) => {
                out.push(0);
                write_bytes(out, name.as_bytes());
            }
            Step::Index(index) => {
                out.push(1);
                write_u64(out, u64::from(*index));
            }
        }
    }
}

fn decode_path(bytes: &mut &[u8]) -> Result<Path, DecodeError> {
    let root = read_str(bytes)?.to_owned();
    let steps = decode_many(bytes, |bytes| match read_u8(bytes)? {
        0 => Ok(Step::Name(read_str(bytes)?.to_owned())),
        1 => u32::try_from(read_u64(bytes)?).map(Step::Index).map_err(|_| DecodeError::Integer),
        tag => Err(DecodeError::Tag(tag)),
    })?;
    Ok(Path::new(root, steps))
}

impl Update {
    /// Appends the binary form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.origin() {
            Origin::Expression => 1,
            Origin::AttributeUpdates => 2,
        });
        write_usize(out, self.actions().len());
        for action in self.actions() {
            match action {
                Action::Set(path, value) => {
                    encode_tagged_path(1, path, out);
                    encode_right_side(value, out);
                }
                Action::Remove(path) => encode_tagged_path(2, path, out),
                Action::Add(path, value) => {
                    encode_tagged_path(3, path, out);
                    encode_value(value, out);
                }
                Action::Delete(path, value) => {
                    encode_tagged_path(4, path, out);
                    encode_value(value, out);
                }
            }
        }
    }

    /// Reads what [`Update::encode`] wrote and steps behind it.
    ///
    /// # Errors
    /// Bytes that it cannot have written.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        let origin = match read_u8(bytes)? {
            1 => Origin::Expression,
            2 => Origin::AttributeUpdates,
            tag => return Err(DecodeError::Tag(tag)),
        };
        let actions = decode_many(bytes, |bytes| {
            let tag = read_u8(bytes)?;
            let path = decode_path(bytes)?;
            Ok(match tag {
                1 => Action::Set(path, decode_right_side(bytes, LEVELS_MAX)?),
                2 => Action::Remove(path),
                3 => Action::Add(path, decode_value(bytes)?),
                4 => Action::Delete(path, decode_value(bytes)?),
                tag => return Err(DecodeError::Tag(tag)),
            })
        })?;
        Ok(Update::from_origin(origin, actions))
    }
}

fn encode_right_side(value: &Value, out: &mut Vec<u8>) {
    let mut pair = |tag, left: &Value, right: &Value| {
        out.push(tag);
        encode_right_side(left, out);
        encode_right_side(right, out);
    };
    match value {
        Value::ListAppend(left, right) => pair(4, left, right),
        Value::Plus(left, right) => pair(5, left, right),
        Value::Minus(left, right) => pair(6, left, right),
        Value::Path(path) => encode_tagged_path(1, path, out),
        Value::Value(value) => {
            out.push(2);
            encode_value(value, out);
        }
        Value::IfNotExists(path, fallback) => {
            encode_tagged_path(3, path, out);
            encode_right_side(fallback, out);
        }
    }
}

fn decode_right_side(bytes: &mut &[u8], levels: usize) -> Result<Value, DecodeError> {
    let levels = levels.checked_sub(1).ok_or(DecodeError::TooDeep)?;
    let below = |bytes: &mut &[u8]| decode_right_side(bytes, levels).map(Box::new);
    Ok(match read_u8(bytes)? {
        1 => Value::Path(decode_path(bytes)?),
        2 => Value::Value(decode_value(bytes)?),
        3 => Value::IfNotExists(decode_path(bytes)?, below(bytes)?),
        4 => Value::ListAppend(below(bytes)?, below(bytes)?),
        5 => Value::Plus(below(bytes)?, below(bytes)?),
        6 => Value::Minus(below(bytes)?, below(bytes)?),
        tag => return Err(DecodeError::Tag(tag)),
    })
}

impl Projection {
    /// Appends the binary form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_usize(out, self.paths().len());
        self.paths().iter().for_each(|path| encode_path(path, out));
    }

    /// Reads what [`Projection::encode`] wrote and steps behind it.
    ///
    /// # Errors
    /// Bytes that it cannot have written.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok(Projection::new(decode_many(bytes, decode_path)?))
    }
}
