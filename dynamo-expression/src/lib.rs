//! DynamoDB's expression languages: condition, filter, key condition, projection and update
