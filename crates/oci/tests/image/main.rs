//! Tests of whole images: assembly, rules with mutants, differences, summaries.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod assemble;
mod diff;
mod fixture;
mod foreign;
mod inspect;
mod rules;
mod variants;
