//! Tests of whole images: assembly, rules and mutants, differences.

mod assemble;
mod diff;
mod fixture;
mod foreign;
mod rules;
