//! Tests of whole images: assembly, rules with mutants, differences, summaries.

mod assemble;
mod diff;
mod fixture;
mod foreign;
mod inspect;
mod rules;
mod variants;
