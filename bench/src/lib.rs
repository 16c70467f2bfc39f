//! Load generator and workloads for dynamo-server and its peers
