//! Key schemas: which attributes make the key, and of which types they are.

/// The type of a key attribute. Only these three can be keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// A string.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

impl KeyType {
    /// The type's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            KeyType::S => "S",
            KeyType::N => "N",
            KeyType::B => "B",
        }
    }

    /// The type of a wire name.
    pub fn from_name(name: &str) -> Option<KeyType> {
        match name {
            "S" => Some(KeyType::S),
            "N" => Some(KeyType::N),
            "B" => Some(KeyType::B),
            _ => None,
        }
    }
}

/// A key attribute with its declared type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAttribute {
    /// The attribute's name.
    pub name: String,
    /// Its type, from the table's attribute definitions.
    pub kind: KeyType,
}

/// The key of a table or an index.
///
/// Lists inside, so that index keys of several attributes can follow; a base table has one partition attribute and at
/// most one sort attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySchema {
    /// The partition key's attributes (`HASH`), in order; never empty.
    pub partition: Vec<KeyAttribute>,
    /// The sort key's attributes (`RANGE`), in order.
    pub sort: Vec<KeyAttribute>,
}

impl KeySchema {
    /// All key attributes, the partition key's first.
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        self.partition.iter().chain(&self.sort)
    }

    /// The type of the key attribute `name`; `None` when it is no key attribute.
    pub fn kind_of(&self, name: &str) -> Option<KeyType> {
        self.attributes().find(|attribute| attribute.name == name).map(|attribute| attribute.kind)
    }

    /// Is `name` an attribute of this key?
    pub fn contains(&self, name: &str) -> bool {
        self.kind_of(name).is_some()
    }

    /// How many attributes the key has.
    pub fn len(&self) -> usize {
        self.partition.len() + self.sort.len()
    }

    /// Never true for the key of a table or an index.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
