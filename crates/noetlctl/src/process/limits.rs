//! Limits that the system sets for this process.

/// How many files and connections a server needs at most. Programs that it starts inherit the limit, and some of them
/// take long with a larger one.
const ENOUGH: u64 = 16_384;

/// Raises the number of files and connections that this process may have open as far as the system allows and a server
/// needs, and returns it.
#[cfg(unix)]
pub(crate) fn raise_descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let now = limit.current.unwrap_or(ENOUGH);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let raised = Rlimit {
        current: Some(wanted),
        ..limit
    };
    let is_raised = wanted > now && setrlimit(Resource::Nofile, raised).is_ok();
    usize::try_from(if is_raised { wanted } else { now }).unwrap_or(usize::MAX)
}

/// Returns the number of files and connections that this process may have open.
#[cfg(not(unix))]
pub(crate) fn raise_descriptors() -> usize {
    usize::try_from(ENOUGH).unwrap_or(usize::MAX)
}
