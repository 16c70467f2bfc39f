//! ListStreams.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::limits::LIST_STREAMS_PAGE;
use dynamo_protocol::ops::ListStreamsInput;

use super::stream;
use crate::catalog::Catalog;
use crate::reply::{StreamPage, timestamp};

/// The page that the request asks for. Neither the table nor the stream to go on behind need exist.
///
/// # Errors
/// A start that is no stream's ARN.
pub fn plan(input: ListStreamsInput, catalog: &dyn Catalog) -> Result<StreamPage, ApiError> {
    let after = input.exclusive_start_stream_arn.as_deref().map(stream::parse).transpose()?;
    // What is no label stands before all streams of its table.
    let after = after.map(|arn| (arn.table, timestamp::parse_label(arn.label)));
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(LIST_STREAMS_PAGE);
    let mut streams = catalog.streams(input.table_name.as_deref());
    streams.retain(|stream| after.is_none_or(|after| (stream.table_name.as_str(), Some(stream.id.since_ms)) > after));
    let has_more = streams.len() > limit;
    streams.truncate(limit);
    Ok(StreamPage { streams, has_more })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::{EndedStream, MemoryCatalog, TableId, fixture};
    use crate::context::RequestContext;
    use crate::stream::StreamId;

    #[test]
    fn pages() {
        let mut catalog = MemoryCatalog::new([fixture::orders()]);
        let ended = EndedStream::of(&fixture::orders(), 9).unwrap();
        for (name, table, since_ms) in [("orders", 2, 5), ("orders", 3, 4), ("ants", 4, 9), ("zebras", 5, 1)] {
            let id = StreamId { table: TableId(table), since_ms };
            catalog.insert_ended_stream(Arc::new(EndedStream { id, table_name: name.to_owned(), ..ended.clone() }));
        }
        let page = |table_name: Option<&str>, limit, after: Option<(&str, &str)>| {
            let arn = |(table, label): (&str, &str)| RequestContext::default().stream_arn(table, label);
            let table_name = table_name.map(str::to_owned);
            let input = ListStreamsInput { limit, exclusive_start_stream_arn: after.map(arn), table_name };
            let page = plan(input, &catalog).unwrap();
            (page.streams.iter().map(|stream| stream.id.table.0).collect::<Vec<_>>(), page.has_more)
        };
        let label = timestamp::label;
        let own = fixture::orders().id.0;
        assert_eq!(page(None, None, None), (vec![4, 3, 2, own, 5], false));
        assert_eq!(page(Some("orders"), Some(2), None), (vec![3, 2], true));
        assert_eq!(page(Some("orders"), Some(2), Some(("orders", &label(5)))), (vec![own], false));
        assert_eq!(page(None, Some(1), Some(("ants", &label(9)))), (vec![3], true));
        assert_eq!(page(None, None, Some(("orders", "no-label"))), (vec![3, 2, own, 5], false));
        assert_eq!(page(None, None, Some(("orderz", &label(0)))), (vec![5], false), "a table that there never was");
        assert_eq!(page(Some("ants"), None, Some(("zebras", &label(0)))), (vec![], false));
        assert_eq!(page(Some("nothing"), None, None), (vec![], false));
        let garbage = ListStreamsInput { exclusive_start_stream_arn: Some("garbage".to_owned()), ..Default::default() };
        assert_eq!(plan(garbage, &catalog).unwrap_err().message(), "Invalid StreamArn");
    }
}
