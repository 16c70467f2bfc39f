//! Attribute values read from JSON, their content checked on the way.
//!
//! A value has exactly one type, at most 32 levels (itself the first), sets without repeats. What is wrong with the
//! content is noted in [`Checks`], not refused: DynamoDB looks at it only after the model's constraints. Levels too
//! deep are passed over without recursion, so a hostile body cannot exhaust the stack.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::json::{Kind, Reader, Refused, push_base64};
use crate::limits::{ATTRIBUTE_NAME_BYTES_MAX, NESTING_LEVELS_MAX};
use crate::number::Number;
use crate::value::{AttributeValue, Item};

use crate::shapes::checks::{Checks, Problem};
use crate::shapes::echo::{ECHO_BYTES_MAX, Echo, joined};
use crate::shapes::path::Path;
use crate::shapes::wire::{Place, Wire, list, members, not_a_scalar, text};

const JAVA: &str = "class com.amazonaws.dynamodb.v20120810.AttributeValue";
const JAVA_MAP: &str = "Unrecognized collection type java.util.Map<java.lang.String, \
                        com.amazonaws.dynamodb.v20120810.AttributeValue>";

impl Wire for AttributeValue {
    fn java() -> Cow<'static, str> {
        JAVA.into()
    }

    fn read(reader: &mut Reader<'_>, place: Place, path: &Path<'_>, checks: &mut Checks) -> Result<Self, Refused> {
        Value { path, checks }.read(reader, place, 1)
    }

    fn null(path: &Path<'_>, checks: &mut Checks) -> Self {
        checks.content(path, Problem::Empty);
        AttributeValue::Null
    }

    fn echo(&self, out: &mut Echo) {
        echo(self, out);
    }
}

/// A value being read: the attribute it belongs to, whatever the level.
struct Value<'v, 'p> {
    path: &'v Path<'p>,
    checks: &'v mut Checks,
}

impl Value<'_, '_> {
    fn read(&mut self, reader: &mut Reader<'_>, place: Place, level: usize) -> Result<AttributeValue, Refused> {
        if level > NESTING_LEVELS_MAX {
            // Each level is two brackets: the value's and its content's.
            let levels = NESTING_LEVELS_MAX + reader.skip_counting()?.div_ceil(2);
            self.checks.too_deep(self.path, levels);
            return Ok(AttributeValue::Null);
        }
        let mut found = None;
        members(
            reader,
            place,
            || JAVA.into(),
            |reader, name| {
                if reader.kind()? == Kind::Null {
                    return reader.literal("null");
                }
                let Some(value) = self.typed(reader, &name, level)? else { return Ok(()) };
                if found.replace(value).is_some() {
                    self.checks.content(self.path, Problem::Several);
                }
                Ok(())
            },
        )?;
        Ok(found.unwrap_or_else(|| {
            self.checks.content(self.path, Problem::Empty);
            AttributeValue::Null
        }))
    }

    /// The content behind one type's name; nothing for names that are no type.
    fn typed(&mut self, reader: &mut Reader<'_>, name: &str, level: usize) -> Result<Option<AttributeValue>, Refused> {
        Ok(Some(match name {
            "S" => AttributeValue::S(text(reader)?.into_owned()),
            "N" => AttributeValue::N(self.number(reader)?),
            "B" => AttributeValue::B(binary(reader)?),
            "BOOL" => AttributeValue::Bool(self.boolean(reader)?),
            "NULL" => {
                if !self.boolean(reader)? {
                    self.checks.content(self.path, Problem::NullFalse);
                }
                AttributeValue::Null
            }
            "SS" => AttributeValue::Ss(self.strings(reader)?),
            "NS" => AttributeValue::Ns(self.numbers(reader)?),
            "BS" => AttributeValue::Bs(self.binaries(reader)?),
            "L" => AttributeValue::L(self.elements(reader, level)?),
            "M" => AttributeValue::M(self.entries(reader, level)?),
            _ => {
                reader.skip()?;
                return Ok(None);
            }
        }))
    }

    fn boolean(&mut self, reader: &mut Reader<'_>) -> Result<bool, Refused> {
        bool::read(reader, Place::Member, self.path, self.checks)
    }

    fn number(&mut self, reader: &mut Reader<'_>) -> Result<Number, Refused> {
        let text = text(reader)?;
        Ok(Number::parse(&text).unwrap_or_else(|error| {
            self.checks.content(self.path, Problem::Number(error, text.clone().into_owned()));
            Number::ZERO
        }))
    }

    fn strings(&mut self, reader: &mut Reader<'_>) -> Result<Vec<String>, Refused> {
        let members = set(reader, |reader| text(reader).map(Cow::into_owned))?;
        if members.is_empty() {
            self.checks.content(self.path, Problem::EmptyStrings);
        }
        Ok(sorted(members, |sent| self.checks.content(self.path, Problem::DuplicateStrings(sent))))
    }

    fn numbers(&mut self, reader: &mut Reader<'_>) -> Result<Vec<Number>, Refused> {
        let members = set(reader, |reader| self.number(reader))?;
        if members.is_empty() {
            self.checks.content(self.path, Problem::EmptyNumbers);
        }
        Ok(sorted(members, |_| self.checks.content(self.path, Problem::DuplicateNumbers)))
    }

    fn binaries(&mut self, reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, Refused> {
        let members = set(reader, binary)?;
        if members.is_empty() {
            self.checks.content(self.path, Problem::EmptyBinaries);
        }
        Ok(sorted(members, |sent| {
            self.checks.content(self.path, Problem::DuplicateBinaries(sent));
        }))
    }

    fn elements(&mut self, reader: &mut Reader<'_>, level: usize) -> Result<Vec<AttributeValue>, Refused> {
        let mut elements = Vec::new();
        list(reader, Place::Member, |reader| {
            elements.push(self.nested(reader, level)?);
            Ok(())
        })?;
        Ok(elements)
    }

    fn entries(&mut self, reader: &mut Reader<'_>, level: usize) -> Result<Item, Refused> {
        let mut entries = Item::new();
        match reader.kind()? {
            Kind::Object => reader.object(|reader, name| {
                if name.is_empty() {
                    self.checks.empty_name(self.path, false);
                } else if name.len() > ATTRIBUTE_NAME_BYTES_MAX {
                    self.checks.long_name(self.path);
                }
                let value = self.nested(reader, level)?;
                entries.insert(name.into_owned(), value);
                Ok(())
            })?,
            Kind::Array => return Err(JAVA_MAP.into()),
            _ => return Err("Unexpected field type".into()),
        }
        Ok(entries)
    }

    fn nested(&mut self, reader: &mut Reader<'_>, level: usize) -> Result<AttributeValue, Refused> {
        if reader.kind()? == Kind::Null {
            reader.literal("null")?;
            return Ok(AttributeValue::null(self.path, self.checks));
        }
        self.read(reader, Place::Element, level + 1)
    }
}

/// The members of a set as sent; nulls are passed over.
fn set<'a, T>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Refused>,
) -> Result<Vec<T>, Refused> {
    let mut members = Vec::new();
    list(reader, Place::Member, |reader| {
        if reader.kind()? == Kind::Null {
            return reader.literal("null");
        }
        members.push(read(reader)?);
        Ok(())
    })?;
    Ok(members)
}

/// The set's members in order; `duplicates` gets them as sent if one comes twice.
fn sorted<T: Ord + Clone>(members: Vec<T>, duplicates: impl FnOnce(Vec<T>)) -> Vec<T> {
    if members.windows(2).all(|pair| pair[0] < pair[1]) {
        return members;
    }
    let mut sorted = members.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        duplicates(members);
    }
    sorted
}

/// Bytes in base64: padded, canonical.
fn binary(reader: &mut Reader<'_>) -> Result<Vec<u8>, Refused> {
    let text = match reader.kind()? {
        Kind::Text => reader.string()?,
        Kind::Object => return Err(not_a_scalar(reader, Kind::Object, "")),
        Kind::Array => return Err("Unrecognized collection type class java.nio.ByteBuffer".into()),
        _ => return Err("only base-64-encoded strings are convertible to bytes".into()),
    };
    if !text.len().is_multiple_of(4) {
        let found = text.len();
        return Err(format!("Base64 encoded length is expected a multiple of 4 bytes but found: {found}").into());
    }
    // The spelling is DynamoDB's.
    BASE64.decode(text.as_bytes()).map_err(|_| "Invalid last non-pad Base64 character dectected".into())
}

/// As DynamoDB prints a value in messages: every type it knows, most of them null.
fn echo(value: &AttributeValue, out: &mut Echo) {
    out.push_str("AttributeValue(");
    const TYPES: [(&str, &str); 16] = [
        ("s", "S"),
        ("n", "N"),
        ("b", "B"),
        ("iNT", ""),
        ("dECIMAL", ""),
        ("dOUBLE", ""),
        ("sS", "SS"),
        ("nS", "NS"),
        ("bS", "BS"),
        ("iNTSET", ""),
        ("dECIMALSET", ""),
        ("dOUBLESET", ""),
        ("m", "M"),
        ("l", "L"),
        ("nULL", "NULL"),
        ("bOOL", "BOOL"),
    ];
    for (position, (name, type_name)) in TYPES.into_iter().enumerate() {
        out.push_str(if position > 0 { ", " } else { "" });
        out.push_str(name);
        out.push('=');
        if type_name == value.type_name() {
            echo_content(value, out);
        } else {
            out.push_str("null");
        }
    }
    out.push(')');
}

fn echo_content(value: &AttributeValue, out: &mut Echo) {
    match value {
        AttributeValue::S(text) => out.push_str(text),
        AttributeValue::N(number) => out.push_str(&number.to_string()),
        AttributeValue::B(_) => out.push_str("java.nio.HeapByteBuffer"),
        AttributeValue::Bool(value) => value.echo(out),
        AttributeValue::Null => out.push_str("true"),
        AttributeValue::Ss(members) => members.echo(out),
        AttributeValue::Ns(members) => {
            out.push('[');
            out.push_str(&joined(members.iter().map(ToString::to_string), ", "));
            out.push(']');
        }
        AttributeValue::Bs(members) => {
            let mut encoded = Vec::new();
            for member in members {
                if encoded.len() > ECHO_BYTES_MAX {
                    break;
                }
                push_base64(&mut encoded, member);
            }
            out.push_str(&String::from_utf8_lossy(&encoded));
        }
        AttributeValue::L(elements) => elements.echo(out),
        AttributeValue::M(entries) => entries.echo(out),
    }
}
