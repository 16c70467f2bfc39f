//! Where in a request a value stands: a chain of steps on the stack, written out only when something is wrong there.

use super::echo::cut;

/// One step from the request's root, linked to the steps before it.
pub(crate) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
    /// Rank among the siblings: DynamoDB's order of checks for members, the request's order for elements.
    order: u32,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Member(&'static str),
    Element,
    Key(&'p str),
}

impl<'p> Path<'p> {
    /// The request itself.
    pub(crate) const ROOT: Path<'static> = Path { parent: None, step: Step::Root, order: 0 };

    /// A member of a structure; `order` is its rank among the members.
    pub(crate) fn member(&'p self, order: u32, name: &'static str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Member(name), order }
    }

    /// An element of a list, counted from 0.
    pub(crate) fn element(&'p self, position: u32) -> Path<'p> {
        Path { parent: Some(self), step: Step::Element, order: position }
    }

    /// An entry of a map, with its position in the request.
    pub(crate) fn entry(&'p self, position: u32, key: &'p str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Key(key), order: position }
    }

    /// Ranks from the root down: sorting by them gives the order of reporting.
    pub(crate) fn order(&self) -> Vec<u32> {
        let mut order = self.parent.map_or_else(Vec::new, Path::order);
        if !matches!(self.step, Step::Root) {
            order.push(self.order);
        }
        order
    }

    /// As the older layer writes it: `keySchema.1.member.keyType`.
    pub(crate) fn classic(&self) -> String {
        self.written(true)
    }

    /// As the newer layer writes it: `RequestItems.orders.member.Keys`.
    pub(crate) fn current(&self) -> String {
        self.written(false)
    }

    /// This member's name, if it is a member of the request itself.
    pub(crate) fn top_member(&self) -> Option<&'static str> {
        match (self.parent?.step, self.step) {
            (Step::Root, Step::Member(name)) => Some(name),
            _ => None,
        }
    }

    /// The placeholder this value belongs to, if it stands inside `ExpressionAttributeValues`.
    pub(crate) fn placeholder(&self) -> Option<&str> {
        let parent = self.parent?;
        match (parent.step, self.step) {
            (Step::Member("ExpressionAttributeValues"), Step::Key(key)) => Some(key),
            _ => parent.placeholder(),
        }
    }

    /// Whether this is a value of a transaction's `Update` or `ConditionCheck`.
    pub(crate) fn is_in_transacted_expression(&self) -> bool {
        let named =
            |path: &Path<'_>, wanted: &[&str]| matches!(path.step, Step::Member(name) if wanted.contains(&name));
        self.parent.is_some_and(|parent| {
            let is_value = named(self, &["ExpressionAttributeValues"]) && named(parent, &["Update", "ConditionCheck"]);
            is_value || parent.is_in_transacted_expression()
        })
    }

    /// Whether this value stands inside `ExclusiveStartKey`.
    pub(crate) fn is_in_start_key(&self) -> bool {
        matches!(self.step, Step::Member("ExclusiveStartKey")) || self.parent.is_some_and(Path::is_in_start_key)
    }

    fn written(&self, lower: bool) -> String {
        let mut out = self.parent.map_or_else(String::new, |parent| parent.written(lower));
        if !out.is_empty() {
            out.push('.');
        }
        match self.step {
            Step::Root => {}
            Step::Member(name) if lower => {
                let mut letters = name.chars();
                out.extend(letters.next().map(|first| first.to_ascii_lowercase()));
                out.push_str(letters.as_str());
            }
            Step::Member(name) => out.push_str(name),
            Step::Element => {
                out.push_str(&(self.order + 1).to_string());
                out.push_str(".member");
            }
            Step::Key(key) => {
                out.push_str(&cut(key));
                out.push_str(".member");
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_both_ways() {
        let schema = Path::ROOT.member(3, "KeySchema");
        let element = schema.element(0);
        let kind = element.member(1, "KeyType");
        assert_eq!(kind.classic(), "keySchema.1.member.keyType");
        assert_eq!(kind.order(), [3, 0, 1]);
        let items = Path::ROOT.member(0, "RequestItems");
        let table = items.entry(0, "orders");
        assert_eq!(table.member(0, "Keys").current(), "RequestItems.orders.member.Keys");
        let values = Path::ROOT.member(0, "ExpressionAttributeValues");
        let value = values.entry(0, ":v");
        assert_eq!(value.element(4).placeholder(), Some(":v"));
        assert_eq!(kind.placeholder(), None);
    }
}
