//! Tests of the engine through the API that the server and the command line use.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod corpus;
mod dialects;
mod ending;
mod events;
mod guards;
mod harness;
mod hostile;
mod joins;
mod keys;
mod loops;
mod meanings;
mod pagination;
mod playbooks;
mod policies;
mod problems;
mod retries;
mod routing;
mod schema;
mod secrets;
mod sinks;
mod templates;
mod workload;
mod workload_schema;
mod workload_schema_peer;
