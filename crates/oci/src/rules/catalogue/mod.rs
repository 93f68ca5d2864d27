//! All rules of this crate, each with id, severity, requirement, symptom and example.

mod config;
mod filesystem;
mod platform;
mod registry;
mod structure;

pub use config::*;
pub use filesystem::*;
pub use platform::*;
pub use registry::*;
pub use structure::*;

use crate::rules::rule::Rule;

/// Returns every rule of this crate.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [STRUCTURE, PLATFORM, FILESYSTEM, CONFIG, REGISTRY]
        .into_iter()
        .flatten()
        .copied()
}

#[cfg(test)]
mod tests {
    use super::all;
    use crate::rules::rule;

    #[test]
    fn ids_are_unique_and_in_order() {
        let listed: Vec<_> = all().map(|rule| rule.id).collect();
        let sorted: Vec<_> = rule::sorted(all()).iter().map(|rule| rule.id).collect();
        assert_eq!(listed, sorted);
        let mut unique = listed.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), listed.len());
    }
}
