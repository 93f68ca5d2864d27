//! What is wrong with a playbook, and where: the types that the API shows.

pub use noetl_api::{Place, Problem, Problems, Severity};
