//! Which lease to take or to ask for next, so that the consumers have equal numbers of shards.
//!
//! Every consumer decides for itself, from the rows of all. Nothing is taken from somebody who lives: who has too few asks one
//! who has most, by writing himself down as the heir of a shard. The owner sees it, ends with the page that it is at, and gives
//! the lease back; so no page is handled by two at a time, as it would be where leases are simply stolen.
//!
//! ```text
//! consumer b starts      1: a  2: a  3: a  4: a           b asks a for 4
//!                        1: a  2: a  3: a  4: a (heir b)  a gives 4 back behind its page
//!                        1: a  2: a  3: a  4: - (heir b)  b takes 4, asks for 3, …
//!                        1: a  2: a  3: b  4: b           nobody has two more than another
//! ```

use std::collections::BTreeMap;

/// A shard that may be read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The key of its row.
    pub key: String,
    /// Who reads it, as far as he lives.
    pub owner: Option<String>,
    /// Who is to have it next, as far as he lives.
    pub heir: Option<String>,
}

impl Held {
    /// For whom it counts.
    fn holder(&self) -> Option<&str> {
        self.heir.as_deref().or(self.owner.as_deref())
    }
}

/// What a consumer does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Takes a lease that nobody has.
    Take(&'a str),
    /// Asks the owner of a lease for it.
    Ask(&'a str),
}

/// The next step of the consumer `me`; `None` where it has what it should have.
pub fn next_step<'a>(shards: &'a [Held], me: &str) -> Option<Step<'a>> {
    if let Some(given) = shards.iter().find(|shard| shard.owner.is_none() && shard.heir.as_deref() == Some(me)) {
        return Some(Step::Take(&given.key));
    }
    let mut counts = BTreeMap::from([(me, 0)]);
    for holder in shards.iter().filter_map(Held::holder) {
        *counts.entry(holder).or_insert(0_usize) += 1;
    }
    let mine = counts[me];
    let share = shards.len().div_ceil(counts.len());
    if let Some(free) = shards.iter().find(|shard| shard.holder().is_none()).filter(|_| mine < share) {
        return Some(Step::Take(&free.key));
    }
    let (most, _) = counts.into_iter().filter(|(_, count)| *count >= mine + 2).max_by_key(|(_, count)| *count)?;
    let asked = shards.iter().rfind(|shard| shard.heir.is_none() && shard.owner.as_deref() == Some(most))?;
    Some(Step::Ask(&asked.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(owners: &[&str]) -> Vec<Held> {
        let name = |owner: &&str| Some((*owner).to_owned()).filter(|owner| !owner.is_empty());
        let shard = |(at, owner)| Held { key: at_key(at), owner: name(owner), heir: None };
        owners.iter().enumerate().map(shard).collect()
    }

    fn at_key(at: usize) -> String {
        format!("{at:02}")
    }

    #[test]
    fn free_leases_are_taken_up_to_an_equal_share() {
        assert_eq!(next_step(&held(&["", ""]), "a"), Some(Step::Take("00")), "alone");
        assert_eq!(next_step(&held(&["a", ""]), "a"), Some(Step::Take("01")));
        assert_eq!(next_step(&held(&["a", "b", "b", ""]), "a"), Some(Step::Take("03")));
        assert_eq!(next_step(&held(&["a", "b", ""]), "b"), Some(Step::Take("02")), "one of them has more");
        assert_eq!(next_step(&held(&["a", "b", "b", ""]), "b"), None, "it is left for the other one");
    }

    #[test]
    fn a_worker_with_two_more_gives_one_up() {
        assert_eq!(next_step(&held(&["a", "a"]), "b"), Some(Step::Ask("01")));
        assert_eq!(next_step(&held(&["a"]), "b"), None, "one is not divided");
        assert_eq!(next_step(&held(&["a", "a", "b"]), "b"), None);
        let mut shards = held(&["a", "a", "a", "a"]);
        shards[3].heir = Some("b".to_owned());
        assert_eq!(next_step(&shards, "b"), Some(Step::Ask("02")), "what is asked for counts as had");
        shards[2].heir = Some("b".to_owned());
        assert_eq!(next_step(&shards, "b"), None);
        shards[3].owner = None;
        assert_eq!(next_step(&shards, "b"), Some(Step::Take("03")), "it was given back");
        assert_eq!(next_step(&shards, "a"), None, "for somebody else");
    }

    /// Whatever there is at first, and whoever takes his turn when: the numbers become equal, and then nothing moves any more.
    #[test]
    fn steps_of_all_consumers_end_in_balance() {
        let names = ["", "a", "b", "c"];
        for shards in 1..=5_u32 {
            for start in 0..4_usize.pow(shards) {
                let owners: Vec<&str> = (0..shards).map(|at| names[start / 4_usize.pow(at) % 4]).collect();
                let mut shards = held(&owners);
                for round in 0..100 {
                    let before = shards.clone();
                    for me in &names[1..] {
                        step(&mut shards, me);
                    }
                    if shards == before {
                        break;
                    }
                    assert!(round < 99, "{owners:?} does not come to rest: {shards:?}");
                }
                let counts =
                    names.map(|name| shards.iter().filter(|shard| shard.owner.as_deref() == Some(name)).count());
                let (least, most) = (counts[1..].iter().min(), counts[1..].iter().max());
                assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{owners:?}: {shards:?}");
                assert!(shards.iter().all(|shard| shard.owner.is_some() && shard.heir.is_none()), "{shards:?}");
            }
        }
    }

    /// One round of a consumer: gives back what it was asked for, and does its next step.
    fn step(shards: &mut [Held], me: &str) {
        for shard in shards.iter_mut().filter(|shard| shard.heir.is_some() && shard.owner.as_deref() == Some(me)) {
            shard.owner = None;
        }
        let found = |shards: &[Held], key: &str| shards.iter().position(|shard| shard.key == key).expect("one of them");
        match next_step(shards, me) {
            Some(Step::Take(key)) => {
                let at = found(shards, key);
                (shards[at].owner, shards[at].heir) = (Some(me.to_owned()), None);
            }
            Some(Step::Ask(key)) => {
                let at = found(shards, key);
                shards[at].heir = Some(me.to_owned());
            }
            None => {}
        }
    }
}
