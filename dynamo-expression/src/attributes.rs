//! What an expression is evaluated against.

use std::borrow::Cow;

use dynamo_protocol::value::{AttributeValue, Item};

/// The attributes of one item.
///
/// An implementation over a stored binary item decodes only the attribute that is asked for, so that a condition on
/// one attribute of a large item costs one small decode. It must answer the same for the same name as long as it is
/// borrowed.
pub trait Attributes {
    /// The top-level attribute of that name, or nothing where the item (or the whole item) is missing.
    fn attribute(&self, name: &str) -> Option<Cow<'_, AttributeValue>>;
}

impl Attributes for Item {
    fn attribute(&self, name: &str) -> Option<Cow<'_, AttributeValue>> {
        self.get(name).map(Cow::Borrowed)
    }
}

/// An item that may be absent: a condition on an absent item sees no attributes.
impl<A: Attributes> Attributes for Option<A> {
    fn attribute(&self, name: &str) -> Option<Cow<'_, AttributeValue>> {
        self.as_ref()?.attribute(name)
    }
}

impl<A: Attributes + ?Sized> Attributes for &A {
    fn attribute(&self, name: &str) -> Option<Cow<'_, AttributeValue>> {
        (**self).attribute(name)
    }
}
