//! What conditions, filters and projections see of a stored item.

use std::borrow::Cow;

use dynamo_expression::Attributes;
use dynamo_protocol::value::AttributeValue;

use super::ItemRef;

/// Conditions and filters look at single attributes, and only those are decoded. A damaged attribute looks absent
/// here; the row's checksum in the store is what protects against that.
impl Attributes for ItemRef<'_> {
    fn attribute(&self, name: &str) -> Option<Cow<'_, AttributeValue>> {
        ItemRef::attribute(self, name).ok().flatten().map(Cow::Owned)
    }
}
