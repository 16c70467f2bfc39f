//! What has to be there before anything is read. What is missing is said with the command that makes it, and ends the program:
//! a consumer that waits in silence for a table that nobody makes looks as if it worked.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{KeySchemaElement, StreamViewType, TableDescription};

use crate::database::{Database, code};
use crate::streams::{self, Discovered};
use crate::{Arguments, Error};

/// Looks for the database, the table with its stream, and the table that is copied to.
///
/// # Errors
/// What is missing and how to make it, or what the database refuses.
pub async fn check(database: &Database, arguments: &Arguments) -> Result<(), Error> {
    database.reach().await?;
    let table = describe(database, &arguments.table).await?;
    let discovered = streams::discover(database, &arguments.table).await?;
    check_stream(arguments, table.as_ref(), &discovered)?;
    if let Some(copy) = &arguments.copy_to {
        check_copy(table.as_ref(), copy, describe(database, copy).await?.as_ref())?;
    }
    if !discovered.is_live && !arguments.until_disabled {
        eprintln!(
            "stream-consumer: the stream of {} is switched off: what it still has is read, and new changes when it is \
             switched on again",
            arguments.table
        );
    }
    Ok(())
}

async fn describe(database: &Database, name: &str) -> Result<Option<TableDescription>, Error> {
    match database.items(|client: Client| client.describe_table().table_name(name).send()).await {
        Ok(answer) => Ok(answer.table),
        Err(error) if code(&error) == "ResourceNotFoundException" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Streams outlive their table, so a table alone may be missing.
fn check_stream(arguments: &Arguments, table: Option<&TableDescription>, discovered: &Discovered) -> Result<(), Error> {
    let name = &arguments.table;
    let Some(table) = table else {
        if !discovered.shards.is_empty() {
            return Ok(());
        }
        return Err(format!(
            "there is no table {name}, and no stream of one. Make it with a stream:\n  aws dynamodb create-table \
             --table-name {name} --billing-mode PAY_PER_REQUEST --attribute-definitions AttributeName=pk,AttributeType=S \
             --key-schema AttributeName=pk,KeyType=HASH --stream-specification {SPECIFICATION}"
        )
        .into());
    };
    if discovered.shards.is_empty() {
        return Err(format!(
            "the table {name} has no stream. Switch it on:\n  aws dynamodb update-table --table-name {name} \
             --stream-specification {SPECIFICATION}"
        )
        .into());
    }
    let view = table.stream_specification().and_then(|specification| specification.stream_view_type());
    let has_new_images = matches!(view, None | Some(StreamViewType::NewImage | StreamViewType::NewAndOldImages));
    if arguments.copy_to.is_some() && !has_new_images {
        let view = view.map_or("", StreamViewType::as_str);
        return Err(format!(
            "copying needs the new images of items, and the stream of {name} has {view}: switch it off, and on again \
             with --stream-specification {SPECIFICATION}"
        )
        .into());
    }
    Ok(())
}

const SPECIFICATION: &str = "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES";

/// The copy has the keys of the table, as far as that is there.
fn check_copy(source: Option<&TableDescription>, name: &str, copy: Option<&TableDescription>) -> Result<(), Error> {
    let Some(copy) = copy else {
        let like =
            source.map(|source| format!(":\n  aws dynamodb create-table --table-name {name} {}", made_like(source)));
        let like = like.unwrap_or_default();
        return Err(format!(
            "there is no table {name} to copy to. Make it with the keys of the table that is read{like}"
        )
        .into());
    };
    match source.map(keys) {
        Some(wanted) if wanted != keys(copy) => {
            let text = |keys: &[(&str, &str, &str)]| {
                keys.iter().map(|(name, role, kind)| format!("{name} ({role}, {kind})")).collect::<Vec<_>>().join(", ")
            };
            let (wanted, found) = (text(&wanted), text(&keys(copy)));
            Err(format!("{name} cannot be a copy: its key is {found}, that of the table that is read {wanted}").into())
        }
        _ => Ok(()),
    }
}

/// The parts of a table's key: name, role, and type.
fn keys(table: &TableDescription) -> Vec<(&str, &str, &str)> {
    let kind = |key: &KeySchemaElement| {
        let defined =
            table.attribute_definitions().iter().find(|defined| defined.attribute_name() == key.attribute_name());
        defined.map_or("", |defined| defined.attribute_type().as_str())
    };
    table.key_schema().iter().map(|key| (key.attribute_name(), key.key_type().as_str(), kind(key))).collect()
}

/// The flags with which the AWS CLI makes a table with the keys of this one.
fn made_like(table: &TableDescription) -> String {
    let keys = keys(table);
    let each = |part: &dyn Fn(&(&str, &str, &str)) -> String| keys.iter().map(part).collect::<Vec<_>>().join(" ");
    format!(
        "--billing-mode PAY_PER_REQUEST --attribute-definitions {} --key-schema {}",
        each(&|(name, _, kind)| format!("AttributeName={name},AttributeType={kind}")),
        each(&|(name, role, _)| format!("AttributeName={name},KeyType={role}")),
    )
}
