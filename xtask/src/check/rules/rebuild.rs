//! X: the same image from another folder and another machine.

use super::{Rule, rule};

/// In the order of the list.
pub(super) const RULES: &[Rule] = &[
    rule(
        "X1",
        "built again in another folder, umask, time zone, locale and number of threads, the image has the same digest",
        "nobody can tell whether an image was made from the source it names",
    ),
    rule(
        "X2",
        "another machine builds the same digest",
        "an image depends on who builds it, and a mended one cannot be compared",
    ),
];
