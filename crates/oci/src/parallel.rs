//! Runs work on many items in a few threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many items are worked on at the same time.
const THREADS: usize = 4;

/// Calls `work` for each item, in a few threads; items are begun in their order.
///
/// # Errors
/// Returns the first error of `work`. Items that have not begun are then left out.
pub fn each<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..THREADS.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = work(item) {
                        next.store(items.len(), Ordering::Relaxed);
                        let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        failure.get_or_insert(error);
                    }
                }
            });
        }
    });
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use anyhow::ensure;

    use super::*;

    #[test]
    fn after_the_first_error_no_item_is_begun() {
        let items: Vec<u32> = (0..1000).collect();
        let done = AtomicUsize::new(0);
        let result = each(&items, |item| {
            ensure!(*item != 5, "five");
            done.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        assert_eq!(result.unwrap_err().to_string(), "five");
        assert!(done.into_inner() < 1000);
        assert!(each(&items, |_| Ok(())).is_ok());
    }
}
