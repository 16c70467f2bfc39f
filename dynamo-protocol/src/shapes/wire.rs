//! How the model's building blocks are read from JSON: texts, numbers, lists, maps, structures, enums.
//!
//! Each type says what it takes and which complaint DynamoDB has for anything else (the first layer of validation):
//!
//! | met | where a text is due | where a structure or map is due | where a list is due |
//! |---|---|---|---|
//! | number | `NUMBER_VALUE cannot be converted to String` | `Unexpected field type` | `Unexpected field type` |
//! | object | `Start of structure or map found where not expected` | – | `Start of structure or map found where not expected` |
//! | array | `Unrecognized collection type class java.lang.String` | `Unrecognized collection type …` | – |
//!
//! A scalar met as the element of a list or map has yet other words, see [`Place`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::json::{Kind, Reader, Refused};

use super::checks::Checks;
use super::echo::Echo;
use super::path::Path;

const STRUCTURE_FOUND: Refused = Refused(Cow::Borrowed("Start of structure or map found where not expected"));
const CAST_FAILED: &str = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class \
                           java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and \
                           java.lang.Class are in module java.base of loader 'bootstrap')";

/// Whether a value is the member of a structure or the element of a list or map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Member,
    Element,
}

/// A type of the model that can be read from JSON.
///
/// `read` is called with a value other than `null` ahead and leaves the reader behind it. It refuses what cannot be
/// read at all; what reads but breaks a constraint goes into `checks`, and any value may then be returned, since the
/// request will not be carried out.
pub(crate) trait Wire: Sized + Default {
    /// How many a list keeps; those behind are read and checked, and dropped. Every list of structures has a limit far
    /// below this, so a list that is longer is refused whatever it holds: three bytes of text (`{},`) must not take
    /// hundreds of bytes of memory without end.
    const KEPT_IN_LIST_MAX: usize = usize::MAX;

    /// How many entries with different keys a map keeps, likewise.
    const KEPT_IN_MAP_MAX: usize = usize::MAX;

    /// How DynamoDB names the type when it meets an array instead.
    fn java() -> Cow<'static, str>;

    /// Reads one value.
    fn read(reader: &mut Reader<'_>, place: Place, path: &Path<'_>, checks: &mut Checks) -> Result<Self, Refused>;

    /// What a `null` in a list or map stands for.
    fn null(_path: &Path<'_>, _checks: &mut Checks) -> Self {
        Self::default()
    }

    /// Appends the value as Java prints it, for messages that echo it.
    fn echo(&self, out: &mut Echo);
}

/// Reads the member of a structure: a value, or nothing for `null`.
#[inline]
pub(crate) fn member<T: Wire>(
    reader: &mut Reader<'_>,
    path: &Path<'_>,
    checks: &mut Checks,
) -> Result<Option<T>, Refused> {
    if reader.kind()? == Kind::Null {
        reader.literal("null")?;
        return Ok(None);
    }
    T::read(reader, Place::Member, path, checks).map(Some)
}

/// Reads the element of a list or the value of a map.
#[inline]
pub(crate) fn element<T: Wire>(reader: &mut Reader<'_>, path: &Path<'_>, checks: &mut Checks) -> Result<T, Refused> {
    if reader.kind()? == Kind::Null {
        reader.literal("null")?;
        return Ok(T::null(path, checks));
    }
    T::read(reader, Place::Element, path, checks)
}

/// Reads the members of a structure.
pub(crate) fn members<'a>(
    reader: &mut Reader<'a>,
    place: Place,
    java: impl FnOnce() -> Cow<'static, str>,
    member: impl FnMut(&mut Reader<'a>, Cow<'a, str>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    match reader.kind()? {
        Kind::Object => reader.object(member),
        Kind::Array => Err(unrecognized(&java())),
        _ if place == Place::Member => Err("Unexpected field type".into()),
        _ => Err("Unexpected value type in payload".into()),
    }
}

#[cold]
fn unrecognized(java: &str) -> Refused {
    format!("Unrecognized collection type {java}").into()
}

/// The complaint about a value that is not the scalar due here.
#[cold]
pub(crate) fn not_a_scalar(reader: &mut Reader<'_>, kind: Kind, java: &str) -> Refused {
    let met = match kind {
        Kind::Object => return STRUCTURE_FOUND,
        Kind::Array => return unrecognized(&format!("class java.lang.{java}")),
        Kind::Text => "STRING_VALUE",
        Kind::True => "TRUE_VALUE",
        Kind::False => "FALSE_VALUE",
        Kind::Null => "NULL_VALUE",
        Kind::Number => match reader.number() {
            Ok(text) if text.contains(['.', 'e', 'E']) => "DECIMAL_VALUE",
            Ok(_) => "NUMBER_VALUE",
            Err(refused) => return refused,
        },
    };
    format!("{met} cannot be converted to {java}").into()
}

/// Reads a text without copying it.
pub(crate) fn text<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, Refused> {
    match reader.kind()? {
        Kind::Text => reader.string(),
        kind => Err(not_a_scalar(reader, kind, "String")),
    }
}

impl Wire for String {
    fn java() -> Cow<'static, str> {
        "class java.lang.String".into()
    }

    fn read(reader: &mut Reader<'_>, _: Place, _: &Path<'_>, _: &mut Checks) -> Result<Self, Refused> {
        text(reader).map(Cow::into_owned)
    }

    fn echo(&self, out: &mut Echo) {
        out.push_str(self);
    }
}

impl Wire for bool {
    fn java() -> Cow<'static, str> {
        "class java.lang.Boolean".into()
    }

    fn read(reader: &mut Reader<'_>, _: Place, _: &Path<'_>, _: &mut Checks) -> Result<Self, Refused> {
        match reader.kind()? {
            Kind::True => reader.literal("true").map(|()| true),
            Kind::False => reader.literal("false").map(|()| false),
            Kind::Text => boolean_text(&reader.string()?),
            kind => Err(not_a_scalar(reader, kind, "Boolean")),
        }
    }

    fn echo(&self, out: &mut Echo) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

/// The texts that are taken for booleans, in any mixture of cases.
#[cold]
fn boolean_text(text: &str) -> Result<bool, Refused> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("Unexpected token received from parser".into()),
    }
}

/// A whole number; a decimal one is cut, one out of range is held at the range's end.
fn integer(reader: &mut Reader<'_>, java: &str, min: i64, max: i64) -> Result<i64, Refused> {
    match reader.kind()? {
        Kind::Number => {}
        kind => return Err(not_a_scalar(reader, kind, java)),
    }
    let text = reader.number()?;
    let value = text.parse().unwrap_or_else(|_| text.parse::<f64>().map_or(0, |value| value as i64));
    Ok(value.clamp(min, max))
}

impl Wire for i32 {
    fn java() -> Cow<'static, str> {
        "class java.lang.Integer".into()
    }

    fn read(reader: &mut Reader<'_>, _: Place, _: &Path<'_>, _: &mut Checks) -> Result<Self, Refused> {
        integer(reader, "Integer", i64::from(i32::MIN), i64::from(i32::MAX)).map(|value| value as i32)
    }

    fn echo(&self, out: &mut Echo) {
        out.push_str(&self.to_string());
    }
}

impl Wire for i64 {
    fn java() -> Cow<'static, str> {
        "class java.lang.Long".into()
    }

    fn read(reader: &mut Reader<'_>, _: Place, _: &Path<'_>, _: &mut Checks) -> Result<Self, Refused> {
        integer(reader, "Long", i64::MIN, i64::MAX)
    }

    fn echo(&self, out: &mut Echo) {
        out.push_str(&self.to_string());
    }
}

/// Reads a list, element by element.
pub(crate) fn list<'a>(
    reader: &mut Reader<'a>,
    place: Place,
    element: impl FnMut(&mut Reader<'a>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    match reader.kind()? {
        Kind::Array => reader.array(element),
        Kind::Object => Err(STRUCTURE_FOUND),
        _ => Err(wrong_scalar(place)),
    }
}

#[cold]
fn wrong_scalar(place: Place) -> Refused {
    match place {
        Place::Member => "Unexpected field type".into(),
        Place::Element => CAST_FAILED.into(),
    }
}

/// Elements that a list of structures keeps, and entries of a map whose values are such lists.
pub(crate) const STRUCTURES_KEPT_MAX: usize = 1000;

impl<T: Wire> Wire for Vec<T> {
    /// Lists are values in one map only, that of a BatchWriteItem, which takes 25.
    const KEPT_IN_MAP_MAX: usize = T::KEPT_IN_LIST_MAX;

    fn java() -> Cow<'static, str> {
        format!("java.util.List<{}>", bare(&T::java())).into()
    }

    fn read(reader: &mut Reader<'_>, place: Place, path: &Path<'_>, checks: &mut Checks) -> Result<Self, Refused> {
        let mut elements = Vec::new();
        let mut position = 0;
        list(reader, place, |reader| {
            let element = element(reader, &path.element(position), checks)?;
            position += 1;
            if elements.len() < T::KEPT_IN_LIST_MAX {
                elements.push(element);
            }
            Ok(())
        })?;
        Ok(elements)
    }

    fn echo(&self, out: &mut Echo) {
        out.push('[');
        for (position, element) in self.iter().enumerate() {
            if out.is_full() {
                break;
            }
            if position > 0 {
                out.push_str(", ");
            }
            element.echo(out);
        }
        out.push(']');
    }
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    fn java() -> Cow<'static, str> {
        format!("java.util.Map<java.lang.String, {}>", bare(&T::java())).into()
    }

    fn read(reader: &mut Reader<'_>, place: Place, path: &Path<'_>, checks: &mut Checks) -> Result<Self, Refused> {
        let mut entries = BTreeMap::new();
        let mut position = 0;
        match reader.kind()? {
            Kind::Object => reader.object(|reader, key| {
                let value = element(reader, &path.entry(position, &key), checks)?;
                if entries.len() < T::KEPT_IN_MAP_MAX || entries.contains_key(&*key) {
                    entries.insert(key.into_owned(), value);
                }
                position += 1;
                Ok(())
            })?,
            Kind::Array => return Err(unrecognized(&Self::java())),
            _ => return Err(wrong_scalar(place)),
        }
        Ok(entries)
    }

    fn echo(&self, out: &mut Echo) {
        out.push('{');
        for (position, (key, value)) in self.iter().enumerate() {
            if out.is_full() {
                break;
            }
            if position > 0 {
                out.push_str(", ");
            }
            out.push_str(key);
            out.push('=');
            value.echo(out);
        }
        out.push('}');
    }
}

impl<T: Wire> Wire for Box<T> {
    fn java() -> Cow<'static, str> {
        T::java()
    }

    fn read(reader: &mut Reader<'_>, place: Place, path: &Path<'_>, checks: &mut Checks) -> Result<Self, Refused> {
        T::read(reader, place, path, checks).map(Box::new)
    }

    fn echo(&self, out: &mut Echo) {
        (**self).echo(out);
    }
}

/// A type's name inside another's: without `class `.
fn bare(java: &str) -> &str {
    java.strip_prefix("class ").unwrap_or(java)
}
