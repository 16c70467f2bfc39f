//! The status of the cluster for programs.

use dynamo_protocol::json::JsonWriter;

use super::{ClusterStatus, NodeReport, ReplicaReport, ShardReport, lag_max_of, place_of};

impl ClusterStatus {
    /// One JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        let shards = self.shards();
        let complaints = self.complaints();
        let mut out = Vec::new();
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        json.key("cluster").str(&format!("{:032x}", self.cluster_id));
        json.key("answered_by").u64(self.answered_by);
        json.key("shard_count").u64(shards.len() as u64);
        json.key("healthy").bool(complaints.is_empty());
        json.key("complaints").begin_array();
        for complaint in &complaints {
            json.str(complaint);
        }
        json.end_array();
        json.key("nodes").begin_array();
        for (node, report) in &self.nodes {
            put_node(&mut json, *node, report, &shards);
        }
        json.end_array();
        json.key("shards").begin_array();
        for shard in &shards {
            put_shard(&mut json, shard);
        }
        json.end_array().end_object();
        out
    }
}

fn put_node(json: &mut JsonWriter<'_>, node: u64, report: &NodeReport, shards: &[ShardReport]) {
    json.begin_object();
    json.key("node").u64(node);
    json.key("address").str(&report.address);
    json.key("leads").u64(shards.iter().filter(|shard| shard.leader == Some(node)).count() as u64);
    let place = place_of(node, shards);
    json.key("votes_on").u64(place.votes_on as u64);
    json.key("learns").u64(place.learns as u64);
    put_option(json.key("lag_max"), lag_max_of(node, shards));
    match &report.status {
        Ok(status) => {
            json.key("state").str(if status.stopped.is_some() { "stopped" } else { "up" });
            if let Some(reason) = &status.stopped {
                json.key("reason").str(reason);
            }
            json.key("version").str(&status.version);
            json.key("incarnation").str(&format!("{:016x}", status.incarnation));
            json.key("disk_full").bool(status.disk_full);
        }
        Err(reason) => {
            json.key("state").str("unreachable").key("reason").str(reason);
        }
    }
    json.end_object();
}

fn put_shard(json: &mut JsonWriter<'_>, shard: &ShardReport) {
    json.begin_object();
    json.key("shard").u64(u64::from(shard.shard));
    put_option(json.key("leader"), shard.leader);
    json.key("term").u64(shard.term);
    json.key("lease").bool(shard.has_lease);
    json.key("served").bool(shard.is_served);
    put_option(json.key("committed"), shard.committed);
    json.key("changing").bool(shard.members.is_joint);
    put_numbers(json.key("voters"), shard.members.voters.keys());
    put_numbers(json.key("learners"), shard.members.learners.keys());
    json.key("replicas").begin_array();
    for (node, replica) in &shard.replicas {
        put_replica(json, *node, replica);
    }
    json.end_array().end_object();
}

fn put_replica(json: &mut JsonWriter<'_>, node: u64, replica: &ReplicaReport) {
    json.begin_object();
    json.key("node").u64(node);
    json.key("role").str(replica.role.name());
    put_option(json.key("lag"), replica.lag);
    if let Some(status) = &replica.status {
        json.key("term").u64(status.group.term);
        json.key("lease").bool(status.has_lease);
        put_option(json.key("last"), status.group.last);
        put_option(json.key("committed"), status.group.committed);
        put_option(json.key("applied"), status.group.applied);
    }
    json.end_object();
}

fn put_option(json: &mut JsonWriter<'_>, value: Option<u64>) {
    match value {
        Some(value) => json.u64(value),
        None => json.null(),
    };
}

fn put_numbers<'a>(json: &mut JsonWriter<'_>, numbers: impl Iterator<Item = &'a u64>) {
    json.begin_array();
    for number in numbers {
        json.u64(*number);
    }
    json.end_array();
}

#[cfg(test)]
mod tests {
    use crate::cluster::status::tests::example;

    #[test]
    fn golden() {
        let text = String::from_utf8(example().to_json()).unwrap();
        let begin = r#"{"cluster":"0000000000000000000000000000feed","answered_by":1,"shard_count":2,"healthy":false,"complaints":["node 3 at 127.0.0.1:7003 does not answer: it cannot be reached","shard 1 has no leader"],"nodes":[{"node":1,"address":"127.0.0.1:7001","leads":0,"votes_on":2,"learns":0,"lag_max":2,"state":"up","version":"0.1.0","incarnation":"000000000000beef","disk_full":false},"#;
        assert!(text.starts_with(begin), "{text}");
        let third = r#"{"node":3,"address":"127.0.0.1:7003","leads":0,"votes_on":2,"learns":0,"lag_max":null,"state":"unreachable","reason":"it cannot be reached"}"#;
        assert!(text.contains(third), "{text}");
        let shard = r#"{"shard":0,"leader":2,"term":4,"lease":true,"served":true,"committed":10,"changing":false,"voters":[1,2,3],"learners":[],"replicas":[{"node":1,"role":"voter","lag":2,"term":3,"lease":true,"last":8,"committed":8,"applied":8},"#;
        assert!(text.contains(shard), "{text}");
    }
}
