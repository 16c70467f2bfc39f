//! ListTables.

use dynamo_protocol::limits::LIST_TABLES_PAGE;
use dynamo_protocol::ops::ListTablesInput;

use crate::catalog::Catalog;
use crate::reply::TableNames;

/// The page that the request asks for. It cannot fail: the start need not be the name of a table.
pub fn plan(input: ListTablesInput, catalog: &dyn Catalog) -> TableNames {
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(LIST_TABLES_PAGE);
    let after = input.exclusive_start_table_name.as_deref();
    let mut names = catalog.table_names(after, limit + 1);
    let more = names.len() > limit;
    names.truncate(limit);
    let last = names.last().filter(|_| more).cloned();
    TableNames { names, last }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{KeyType, MemoryCatalog, TableDescriptor, TableId, fixture};

    #[test]
    fn pages() {
        let table =
            |(id, name): (u64, &str)| TableDescriptor::new(TableId(id), name, fixture::keys(("k", KeyType::S), None));
        let catalog = MemoryCatalog::new([(1, "Zoo"), (2, "abc"), (3, "abd")].map(table));
        let page = |after: Option<&str>, limit| {
            plan(ListTablesInput { exclusive_start_table_name: after.map(str::to_owned), limit }, &catalog)
        };
        let all = page(None, None);
        assert_eq!((all.names, all.last), (vec!["Zoo".to_owned(), "abc".to_owned(), "abd".to_owned()], None));
        let first = page(None, Some(1));
        assert_eq!((first.names.len(), first.last.as_deref()), (1, Some("Zoo")));
        assert_eq!(page(None, Some(3)).last, None, "the last page says so");
        assert_eq!(page(Some("abb"), None).names, ["abc", "abd"]);
        assert!(page(Some("abd"), None).names.is_empty());
    }
}
