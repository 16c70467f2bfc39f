//! What is returned of a row, and how it gets into the reply.

use dynamo_expression::partiql::Column;
use dynamo_expression::{Path, Projection};
use dynamo_protocol::json::JsonWriter;

use crate::item::{Corrupt, ItemRef};

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
    pub fn write(&self, row: &ItemRef<'_>, json: &mut JsonWriter<'_>) -> Result<(), Corrupt> {
        match self {
            Shape::Whole => row.write_json(json),
            Shape::Names(names) => row.write_json_projected(names, json),
            Shape::Paths(projection) => {
                json.item(&projection.project(row));
                Ok(())
            }
            Shape::Columns(columns) => {
                json.begin_object();
                for column in columns {
                    if let Some(value) = column.path.find(row) {
                        json.key(&column.name).attribute_value(&value);
                    }
                }
                json.end_object();
                Ok(())
            }
        }
    }
}
