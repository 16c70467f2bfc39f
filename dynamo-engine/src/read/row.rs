//! What is returned of a row, and how it gets into the reply.

use dynamo_expression::partiql::Column;
use dynamo_expression::{Path, Projection, Steps};
use dynamo_protocol::json::JsonWriter;

use crate::item::{Decoded, ItemRef};

use super::ReadError;

/// Steps to look for one name in a row.
const NAME_STEPS: usize = 64;

/// The part of each row that a read returns.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// All of it.
    Whole,
    /// These top-level attributes; sorted, without duplicates.
    Names(Vec<String>),
    /// Nested paths, too: the only shape that builds a tree.
    Paths(Projection),
    /// Values under names of their own: PartiQL's columns.
    Columns(Vec<Column>),
}

impl Shape {
    /// The shape of a projection; no projection returns everything.
    pub fn of(projection: Option<Projection>) -> Shape {
        let Some(projection) = projection else {
            return Shape::Whole;
        };
        if projection.paths().iter().any(Path::is_nested) {
            return Shape::Paths(projection);
        }
        let mut names: Vec<String> = projection.paths().iter().map(|path| path.root().to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        Shape::Names(names)
    }

    /// Writes what is wanted of `row` as a JSON object.
    ///
    /// # Errors
    /// [`ReadError::NoRoom`] where the writer gets no room for it, and what is wrong with the row.
    pub fn write(&self, row: &ItemRef<'_>, json: &mut JsonWriter<'_>) -> Result<(), ReadError> {
        self.write_counted(row, json, &Steps::unlimited())
    }

    /// As [`Shape::write`], counting what is looked for rather than what is written.
    pub fn write_counted(&self, row: &ItemRef<'_>, json: &mut JsonWriter<'_>, steps: &Steps) -> Result<(), ReadError> {
        match self {
            Shape::Whole => row.write_json(json)?,
            Shape::Names(names) => {
                steps.spend(NAME_STEPS * names.len().min(row.len())).map_err(ReadError::out_of_steps)?;
                row.write_json_projected(names, json)?;
            }
            Shape::Paths(projection) => {
                let part = projection.project(&Decoded::new(*row), steps).map_err(ReadError::out_of_steps)?;
                json.item(&part);
            }
            Shape::Columns(columns) => {
                let row = Decoded::new(*row);
                json.begin_object();
                for column in columns {
                    if let Some(value) = column.path.find(&row, steps).map_err(ReadError::out_of_steps)? {
                        json.key(&column.name).attribute_value(&value);
                    }
                }
                json.end_object();
            }
        }
        if json.is_out_of_room() { Err(ReadError::NoRoom) } else { Ok(()) }
    }

    /// Writes what is wanted of `row` as the member `Item`; nothing at all where that is nothing, as a transaction has it
    /// (GetItem answers an empty item).
    pub fn write_unless_empty(&self, row: &ItemRef<'_>, json: &mut JsonWriter<'_>) -> Result<(), ReadError> {
        let has_any = |names: &[String]| {
            for name in names {
                if row.get(name)?.is_some() {
                    return Ok::<_, ReadError>(true);
                }
            }
            Ok(false)
        };
        match self {
            Shape::Names(names) if !has_any(names)? => Ok(()),
            Shape::Paths(projection) => {
                let part = projection.project(&Decoded::new(*row), &Steps::unlimited());
                let part = part.map_err(ReadError::out_of_steps)?;
                if !part.is_empty() {
                    json.key("Item").item(&part);
                }
                if json.is_out_of_room() { Err(ReadError::NoRoom) } else { Ok(()) }
            }
            Shape::Whole | Shape::Names(_) | Shape::Columns(_) => {
                json.key("Item");
                self.write(row, json)
            }
        }
    }
}
