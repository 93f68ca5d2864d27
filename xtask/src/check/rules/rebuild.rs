//! X: the same image from another folder and another machine, and what is new since the last.

use super::{Rule, rule, warning};

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
    warning(
        "X3",
        "since the last release only the program has changed, and what is said of it",
        "a base or a certificate changes, and nobody can tell why",
    ),
];
