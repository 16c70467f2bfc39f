//! The status of the cluster for people: two tables.

use std::fmt::{self, Display};

use super::{ClusterStatus, MemberShards, NodeReport, ShardReport, lag_max_of, place_of};

impl Display for ClusterStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards = self.shards();
        writeln!(
            f,
            "cluster {:032x}: {}, {}; answered by node {}\n",
            self.cluster_id,
            counted(self.nodes.len(), "node"),
            counted(shards.len(), "shard"),
            self.answered_by
        )?;
        let mut nodes = Table::new(["NODE", "PEER ADDRESS", "STATE", "ROLE", "LEADS", "LAG", "VERSION"]);
        for (node, report) in &self.nodes {
            nodes.row(node_row(*node, report, &shards));
        }
        writeln!(f, "{nodes}")?;
        let mut table = Table::new(["SHARD", "LEADER", "TERM", "LEASE", "COMMITTED", "VOTERS", "LEARNERS", "LAG"]);
        for shard in &shards {
            table.row(shard_row(shard));
        }
        write!(f, "{table}")?;
        for complaint in self.complaints() {
            write!(f, "\n! {complaint}")?;
        }
        Ok(())
    }
}

/// So many of them: `1 node`, `3 nodes`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn node_row(node: u64, report: &NodeReport, shards: &[ShardReport]) -> [String; 7] {
    let MemberShards { votes_on, learns } = place_of(node, shards);
    let role = match (votes_on, learns) {
        (0, 0) => "none".to_owned(),
        (_, 0) if votes_on == shards.len() => "voter".to_owned(),
        (0, _) if learns == shards.len() => "learner".to_owned(),
        _ => format!("votes on {votes_on}, learns {learns}"),
    };
    let state = match &report.status {
        Ok(status) if status.stopped.is_some() => "stopped",
        Ok(status) if status.disk_full => "disk full",
        Ok(_) => "up",
        Err(_) => "silent",
    };
    let leads = shards.iter().filter(|shard| shard.leader == Some(node)).count();
    let has_replica = shards.iter().any(|shard| shard.replicas.contains_key(&node));
    let lag = if has_replica { lag(lag_max_of(node, shards)) } else { "-".to_owned() };
    let version = report.status.as_ref().map_or("", |status| &status.version);
    [node.to_string(), or_dash(&report.address), state.to_owned(), role, leads.to_string(), lag, or_dash(version)]
}

fn shard_row(shard: &ShardReport) -> [String; 8] {
    let changing = if shard.members.is_joint { " (changing)" } else { "" };
    let lags = shard.replicas.iter().filter(|(_, replica)| replica.lag != Some(0));
    let lags: Vec<String> = lags.map(|(node, replica)| format!("{node}:{}", lag(replica.lag))).collect();
    [
        shard.shard.to_string(),
        number(shard.leader),
        shard.term.to_string(),
        (if shard.has_lease { "yes" } else { "no" }).to_owned(),
        number(shard.committed),
        format!("{}{changing}", or_dash(&list(shard.members.voters.keys()))),
        or_dash(&list(shard.members.learners.keys())),
        or_dash(&lags.join(" ")),
    ]
}

fn list<'a>(nodes: impl Iterator<Item = &'a u64>) -> String {
    nodes.map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn number(value: Option<u64>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

fn lag(entries: Option<u64>) -> String {
    entries.map_or("?".to_owned(), |entries| entries.to_string())
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// Columns as wide as their widest cell.
struct Table<const N: usize> {
    /// The head first.
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    fn new(titles: [&str; N]) -> Self {
        Table { rows: vec![titles.map(str::to_owned)] }
    }

    fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }
}

impl<const N: usize> Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..N).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::counted;
    use crate::cluster::status::tests::example;

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "shard")), ["0 shards", "1 shard", "2 shards"]);
    }

    #[test]
    fn golden() {
        let expected = "\
cluster 0000000000000000000000000000feed: 3 nodes, 2 shards; answered by node 1

NODE  PEER ADDRESS    STATE   ROLE   LEADS  LAG  VERSION
1     127.0.0.1:7001  up      voter  0      2    0.1.0
2     127.0.0.1:7002  up      voter  1      0    0.1.0
3     127.0.0.1:7003  silent  voter  0      ?    -

SHARD  LEADER  TERM  LEASE  COMMITTED  VOTERS  LEARNERS  LAG
0      2       4     yes    10         1 2 3   -         1:2 3:5
1      -       3     no     1          1 2 3   -         3:?

! node 3 at 127.0.0.1:7003 does not answer: it cannot be reached
! shard 1 has no leader";
        assert_eq!(example().to_string(), expected);
    }
}
