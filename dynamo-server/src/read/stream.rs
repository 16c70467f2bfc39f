//! Reading streams: what is asked of a data shard is answered by its leader, wherever it is, as for any read.
//!
//! A stream shard's id names its data shard, so no table and no map of stream shards is looked at on the way: a stream can be
//! read when its table is long gone. Nothing is locked in it either: what stands there has been committed.

use std::sync::Arc;

use dynamo_engine::read::remote::{FetchRequest, FetchResponse, Selector};
use dynamo_engine::stream::{StreamId, StreamRequest, StreamResponse, StreamShard};
use futures::future::try_join_all;
use shard_router::ShardId;

use super::{IfHere, Reader, mismatch};
use crate::env::Env;
use crate::guard::{Handler, ReadFailure};
use crate::shard::{Deadline, Shard};

impl<E: Env> Reader<E> {
    /// Every shard of a stream that is kept, on all data shards, in the order of their ids. Empty where the stream is not
    /// known, or no longer.
    ///
    /// # Errors
    /// A quorum did not confirm within the deadline that a data shard's state is current.
    pub async fn stream_shards(&self, stream: StreamId, deadline: Deadline) -> Result<Vec<StreamShard>, ReadFailure> {
        let mut asked = Vec::with_capacity(self.router.shards.len());
        for shard in &self.router.shards {
            asked.push(self.ask_stream_at(Handler::DescribeStream, shard, StreamRequest::Shards { stream }, deadline));
        }
        let mut shards = Vec::new();
        for (shard, response) in self.router.shards.iter().zip(try_join_all(asked).await?) {
            match response {
                StreamResponse::Shards(found) => shards.extend(found),
                other => return Err(mismatch(shard, &format_args!("{other:?}"))),
            }
        }
        shards.sort_by_key(|shard| shard.id);
        Ok(shards)
    }

    /// Asks one data shard; [`StreamResponse::NoShard`] where there is no such one.
    ///
    /// # Errors
    /// A quorum did not confirm within the deadline that its state is current.
    pub async fn ask_stream(
        &self,
        handler: Handler,
        data_shard: ShardId,
        request: StreamRequest,
        deadline: Deadline,
    ) -> Result<StreamResponse, ReadFailure> {
        match self.router.shards.get(data_shard.0 as usize) {
            Some(shard) => self.ask_stream_at(handler, shard, request, deadline).await,
            None => Ok(StreamResponse::NoShard),
        }
    }

    async fn ask_stream_at(
        &self,
        handler: Handler,
        shard: &Arc<Shard<E>>,
        request: StreamRequest,
        deadline: Deadline,
    ) -> Result<StreamResponse, ReadFailure> {
        self.check_running()?;
        let epoch = self.router.map.epoch(shard.id()).ok_or(ReadFailure::Stale)?;
        let request = FetchRequest { tables: Vec::new(), selector: Selector::Stream(request) };
        match self.reach(handler, shard, epoch, &request, IfHere::Fetch, deadline).await? {
            Some(FetchResponse::Stream(response)) => Ok(response),
            other => Err(mismatch(shard, &format_args!("{other:?}"))),
        }
    }
}
