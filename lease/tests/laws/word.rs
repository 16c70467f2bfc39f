//! Laws of the packed word.

use lease::{AtomicLease, Moment};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Capture,
    /// Renew with the newest captured generation.
    Renew(u64),
    Revoke,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![Just(Step::Capture), prop_oneof![0u64..1 << 34, any::<u64>()].prop_map(Step::Renew), Just(Step::Revoke),]
}

proptest! {
    /// The naive lease: a list of what happened since the last revocation.
    #[test]
    fn agrees_with_the_naive_lease(steps in prop::collection::vec(step(), 0..40), now in 0u64..1 << 34) {
        let lease = AtomicLease::new();
        let mut captured = lease.generation();
        let mut captured_since_revocation = true;
        let mut best = 0u64;
        for step in steps {
            match step {
                Step::Capture => {
                    captured = lease.generation();
                    captured_since_revocation = true;
                }
                Step::Renew(deadline) => {
                    let renewed = lease.renew(captured, Moment::from_nanos(deadline));
                    prop_assert_eq!(renewed, captured_since_revocation);
                    if renewed {
                        best = best.max(deadline);
                    }
                }
                Step::Revoke => {
                    lease.revoke();
                    captured_since_revocation = false;
                    best = 0;
                }
            }
            let holds = lease.check(|| Moment::from_nanos(now));
            prop_assert!(!holds || now < best, "never longer than the best renewal");
            let unit = 1u64 << 20;
            prop_assert!(holds || now.saturating_add(2 * unit) > best, "shorter by less than two units");
            prop_assert!(best == u64::MAX || lease.deadline().as_nanos() <= best);
        }
    }
}
