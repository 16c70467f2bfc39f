//! The rules that make leases safe, each of which can be switched off.

/// One rule. The numbers are those of the list in the project's design, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// 1: the lease counts from when the acknowledged message was sent, not from when the answer came.
    AnchorAtSendTime,
    /// 1: an acknowledgement counts for exactly the message that it answers, not for the newest one sent.
    PairAcknowledgements,
    /// 1: every configuration that may be active needs its quorum.
    CountEveryConfiguration,
    /// 2: the grantors' promise is longer than the holder's validity.
    PromiseOutlastsValidity,
    /// 2: ... by more than clocks differ that are slewed as fast as the system lets them be.
    ValidityCoversSlew,
    /// 2: the holder counts on what was promised, not on what it would promise itself.
    CountWhatWasPromised,
    /// 2: whoever promised refuses to vote for another.
    RefuseVotes,
    /// 2: ... and does not stand itself.
    AskOneself,
    /// 3: no lease before an entry of the own term is applied.
    OwnTermGate,
    /// 4: a transfer revokes the lease before anyone hears of it.
    TransferRevokes,
    /// 4: ... and there is none again in that term.
    NoLeaseAfterTransfer,
    /// 5: a restarted voter holds back.
    HoldOffAfterRestart,
    /// 5: ... for as long as it may have promised before, whatever it is told now.
    HoldOffForThePromiseBefore,
    /// 5: a sole voter holds back too if the last one it followed was another node.
    HoldOffUnlessFollowedNobody,
    /// 6: the holder's clock counts suspend.
    ClockCountsSuspend,
    /// 7: the lease is checked before the state is looked at.
    CheckBeforeView,
    /// 8: a renewal begun before a revocation does not undo it.
    GenerationBeforeOperation,
    /// 8: a leader that votes for another, or hears of one, revokes first.
    SavedVoteRevokes,
}
