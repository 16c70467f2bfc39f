//! Leader-lease arithmetic for quorum systems: holder, grantor and drift as pure state machines
