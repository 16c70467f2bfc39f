//! Indexes as requested, with a table or for one.

use std::collections::BTreeSet;

use dynamo_protocol::error::ApiError;
use dynamo_protocol::limits::{GLOBAL_INDEXES_MAX, LOCAL_INDEXES_MAX, PROJECTED_ATTRIBUTES_MAX};
use dynamo_protocol::shapes;

use super::key_schema::{self, Definitions, KeyElement};
use super::throughput::{self, Subject};
use super::{first_repeat, invalid};
use crate::catalog::{
    BillingMode, IndexDescriptor, IndexId, IndexState, KeyAttribute, KeySchema, KeyType, Projection, Throughput,
};

/// The model's definitions as ours.
pub(crate) fn definitions(requested: &[shapes::AttributeDefinition]) -> Vec<KeyAttribute> {
    let ours = |definition: &shapes::AttributeDefinition| KeyAttribute {
        name: definition.attribute_name.clone(),
        kind: match definition.attribute_type {
            shapes::ScalarAttributeType::S => KeyType::S,
            shapes::ScalarAttributeType::N => KeyType::N,
            shapes::ScalarAttributeType::B => KeyType::B,
        },
    };
    requested.iter().map(ours).collect()
}

/// The model's key elements as ours.
pub(crate) fn elements(requested: &[shapes::KeySchemaElement]) -> Vec<KeyElement> {
    let ours = |element: &shapes::KeySchemaElement| KeyElement {
        name: element.attribute_name.clone(),
        hash: element.key_type == shapes::KeyType::Hash,
    };
    requested.iter().map(ours).collect()
}

/// What the indexes of a new table are checked against.
pub(crate) struct NewTable<'a> {
    /// The table's key.
    pub(crate) keys: &'a KeySchema,
    /// Its attribute definitions.
    pub(crate) definitions: &'a Definitions<'a>,
    /// How it is billed.
    pub(crate) billing_mode: BillingMode,
}

impl NewTable<'_> {
    /// What comes before the rules of single indexes: lists that are not empty, and definitions that are exactly the
    /// keys of the table and of all indexes.
    pub(crate) fn check_definitions(
        &self,
        local: Option<&[shapes::LocalSecondaryIndex]>,
        global: Option<&[shapes::GlobalSecondaryIndex]>,
    ) -> Result<(), ApiError> {
        if local.is_some_and(<[_]>::is_empty) {
            return Err(invalid("List of LocalSecondaryIndexes is empty"));
        }
        if local.is_some() && self.keys.sort.is_empty() {
            return Err(invalid(
                "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
            ));
        }
        if global.is_some_and(<[_]>::is_empty) {
            return Err(invalid("List of GlobalSecondaryIndexes is empty"));
        }
        let local = local.unwrap_or_default().iter().map(|index| elements(&index.key_schema));
        let global = global.unwrap_or_default().iter().map(|index| elements(&index.key_schema));
        let global: Vec<Vec<KeyElement>> = global.collect();
        let keys: Vec<Vec<KeyElement>> = local.chain(global.iter().cloned()).collect();
        keys.iter().try_for_each(|elements| key_schema::check_defined(elements, self.definitions))?;
        global.iter().try_for_each(|elements| key_schema::check_distinct(elements))?;
        key_schema::check_all_used(self.definitions, self.keys, &keys)
    }

    /// The local indexes of the request.
    pub(crate) fn local_indexes(
        &self,
        requested: Option<&[shapes::LocalSecondaryIndex]>,
    ) -> Result<Vec<IndexDescriptor>, ApiError> {
        let requested = requested.unwrap_or_default();
        let mut indexes = Vec::new();
        let mut names = BTreeSet::new();
        for index in requested {
            let described = self.local_index(index)?;
            check_new(&index.index_name, &mut names)?;
            indexes.push(described);
        }
        if indexes.len() > LOCAL_INDEXES_MAX {
            return Err(invalid(format_args!(
                "Number of LocalSecondaryIndexes exceeds per-table limit of {LOCAL_INDEXES_MAX}"
            )));
        }
        Ok(indexes)
    }

    fn local_index(&self, requested: &shapes::LocalSecondaryIndex) -> Result<IndexDescriptor, ApiError> {
        let name = &requested.index_name;
        let keys = key_schema::pair(&elements(&requested.key_schema), self.definitions)?;
        if keys.sort.is_empty() {
            return Err(invalid(format_args!("Index KeySchema does not have a range key for index: {name}")));
        }
        if keys.partition != self.keys.partition {
            return Err(invalid(format_args!(
                "Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. \
                 index hash key: {}, table hash key: {}",
                keys.partition[0].name, self.keys.partition[0].name
            )));
        }
        Ok(IndexDescriptor { local: true, ..descriptor(name, keys, projection(&requested.projection)?) })
    }

    /// The global indexes of the request; `local` are the local ones.
    pub(crate) fn global_indexes(
        &self,
        requested: Option<&[shapes::GlobalSecondaryIndex]>,
        local: &[IndexDescriptor],
    ) -> Result<Vec<IndexDescriptor>, ApiError> {
        let requested = requested.unwrap_or_default();
        let mut names = local.iter().map(|index| index.name.as_str()).collect();
        let mut indexes = Vec::new();
        for index in requested {
            let described = self.global_index(index)?;
            check_new(&index.index_name, &mut names)?;
            indexes.push(described);
        }
        if requested.len() > GLOBAL_INDEXES_MAX {
            return Err(invalid(format_args!(
                "GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_INDEXES_MAX}"
            )));
        }
        Ok(indexes)
    }

    fn global_index(&self, requested: &shapes::GlobalSecondaryIndex) -> Result<IndexDescriptor, ApiError> {
        let name = &requested.index_name;
        let (mode, subject) = (self.billing_mode, Subject::Index(name));
        let keys = key_schema::of_global_index(&elements(&requested.key_schema), self.definitions)?;
        let projection = projection(&requested.projection)?;
        let throughput = throughput::of_index_of_new_table(mode, name, requested.provisioned_throughput.as_ref())?;
        let on_demand = throughput::on_demand(subject, mode, requested.on_demand_throughput.as_ref(), false)?;
        let warm = throughput::warm_of_new(subject, mode, &throughput, requested.warm_throughput.as_ref())?;
        Ok(IndexDescriptor { throughput, on_demand, warm, ..descriptor(name, keys, projection) })
    }
}

/// No index before it has this name.
fn check_new<'n>(name: &'n str, names: &mut BTreeSet<&'n str>) -> Result<(), ApiError> {
    if names.insert(name) { Ok(()) } else { Err(invalid(format_args!("Duplicate index name: {name}"))) }
}

/// An active index without an id.
fn descriptor(name: &str, keys: KeySchema, projection: Projection) -> IndexDescriptor {
    IndexDescriptor {
        id: IndexId(0),
        name: name.to_owned(),
        local: false,
        keys,
        projection,
        state: IndexState::Active,
        throughput: Throughput::default(),
        on_demand: None,
        warm: None,
    }
}

/// A global index to be added to a table. `definitions` are the request's own: the service looks at no others.
pub(crate) fn added(
    requested: &shapes::CreateGlobalSecondaryIndexAction,
    definitions: &Definitions<'_>,
    mode: BillingMode,
) -> Result<IndexDescriptor, ApiError> {
    let name = &requested.index_name;
    let subject = Subject::Index(name);
    if definitions.is_empty() {
        return Err(invalid(format_args!("AttributeDefinitions is not specified for index: {name}")));
    }
    let keys = key_schema::of_global_index(&elements(&requested.key_schema), definitions)?;
    let projection = projection(&requested.projection)?;
    let throughput = throughput::of_added_index(mode, name, requested.provisioned_throughput.as_ref())?;
    let on_demand = throughput::on_demand(subject, mode, requested.on_demand_throughput.as_ref(), false)?;
    let warm = throughput::warm_of_new(subject, mode, &throughput, requested.warm_throughput.as_ref())?;
    let index = descriptor(name, keys, projection);
    Ok(IndexDescriptor { state: IndexState::Writing, throughput, on_demand, warm, ..index })
}

/// The projection of a request.
fn projection(requested: &shapes::Projection) -> Result<Projection, ApiError> {
    use shapes::ProjectionType::{All, Include, KeysOnly};
    match (requested.projection_type, &requested.non_key_attributes) {
        (None, _) => Err(invalid("Unknown ProjectionType: null")),
        (Some(All), None) => Ok(Projection::All),
        (Some(KeysOnly), None) => Ok(Projection::KeysOnly),
        (Some(Include), Some(names)) => match first_repeat(names.iter()) {
            Some(name) => Err(invalid(format_args!("Duplicate element in NonKeyAttributes: {name}"))),
            None => Ok(Projection::Include(names.clone())),
        },
        (Some(Include), None) => Err(invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")),
        (Some(kind @ (All | KeysOnly)), Some(_)) => {
            Err(invalid(format_args!("ProjectionType is {kind}, but NonKeyAttributes is specified")))
        }
    }
}

/// The attributes projected by name, over all indexes, are not too many; one that is projected twice counts twice.
pub(crate) fn check_projected<'a>(indexes: impl Iterator<Item = &'a IndexDescriptor>) -> Result<(), ApiError> {
    let names = |index: &IndexDescriptor| match &index.projection {
        Projection::Include(names) => names.len(),
        Projection::All | Projection::KeysOnly => 0,
    };
    if indexes.map(names).sum::<usize>() > PROJECTED_ATTRIBUTES_MAX {
        return Err(invalid(format_args!(
            "The total number of projected attributes in all secondary indexes exceeds the per-table limit of \
             {PROJECTED_ATTRIBUTES_MAX}"
        )));
    }
    Ok(())
}
