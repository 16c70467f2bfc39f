//! From outcome to the JSON body of the response: one file per operation.
