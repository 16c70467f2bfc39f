//! What an expression is evaluated against.

use std::borrow::Cow;

use dynamo_protocol::value::{AttributeValue, Item};

use crate::steps::{OutOfSteps, Steps};

/// The attributes of one item.
///
/// An implementation over a stored binary item decodes only the attribute that is asked for, so that a condition on
/// one attribute of a large item costs one small decode; it should do so once, however often the attribute is asked
/// for, and counts the steps. It must answer the same for the same name as long as it is borrowed.
pub trait Attributes {
    /// The top-level attribute of that name, or nothing where the item (or the whole item) is missing.
    ///
    /// # Errors
    /// [`OutOfSteps`] where it would take more than are left.
    fn attribute(&self, name: &str, steps: &Steps) -> Result<Option<Cow<'_, AttributeValue>>, OutOfSteps>;

    /// Whether there is a top-level attribute of that name.
    ///
    /// # Errors
    /// As [`Attributes::attribute`].
    fn has(&self, name: &str, steps: &Steps) -> Result<bool, OutOfSteps> {
        Ok(self.attribute(name, steps)?.is_some())
    }
}

impl Attributes for Item {
    fn attribute(&self, name: &str, _: &Steps) -> Result<Option<Cow<'_, AttributeValue>>, OutOfSteps> {
        Ok(self.get(name).map(Cow::Borrowed))
    }
}

/// An item that may be absent: a condition on an absent item sees no attributes.
impl<A: Attributes> Attributes for Option<A> {
    fn attribute(&self, name: &str, steps: &Steps) -> Result<Option<Cow<'_, AttributeValue>>, OutOfSteps> {
        self.as_ref().map_or(Ok(None), |item| item.attribute(name, steps))
    }

    fn has(&self, name: &str, steps: &Steps) -> Result<bool, OutOfSteps> {
        self.as_ref().map_or(Ok(false), |item| item.has(name, steps))
    }
}

impl<A: Attributes + ?Sized> Attributes for &A {
    fn attribute(&self, name: &str, steps: &Steps) -> Result<Option<Cow<'_, AttributeValue>>, OutOfSteps> {
        (**self).attribute(name, steps)
    }

    fn has(&self, name: &str, steps: &Steps) -> Result<bool, OutOfSteps> {
        (**self).has(name, steps)
    }
}
