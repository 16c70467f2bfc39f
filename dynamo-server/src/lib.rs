//! An open database that speaks the DynamoDB API: durable single node, in-memory, or a cluster
