//! Tests of whole images: assembly, rules and mutants, differences, summaries.

mod assemble;
mod diff;
mod fixture;
mod foreign;
mod inspect;
mod rules;
mod variants;
