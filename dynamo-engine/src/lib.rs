//! A deterministic DynamoDB database to be driven by a replicated log: catalog, plan, apply and read
