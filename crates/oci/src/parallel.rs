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
    each_on(THREADS, items, work)
}

fn each_on<T: Sync>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
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

/// Calls `work` for each item, in a few threads, and returns the results in the order of the items.
///
/// # Errors
/// As for [`each`].
pub fn map<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    map_on(THREADS, items, work)
}

/// The same on at most `threads` threads.
///
/// # Errors
/// As for [`each`].
pub fn map_on<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    let results: Vec<_> = items.iter().map(|item| (item, Mutex::new(None))).collect();
    each_on(threads, &results, |(item, result)| {
        let done = work(item)?;
        *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        Ok(())
    })?;
    let results = results.into_iter();
    let results =
        results.filter_map(|(_, it)| it.into_inner().unwrap_or_else(PoisonError::into_inner));
    Ok(results.collect())
}

#[cfg(test)]
mod tests {
    use anyhow::ensure;

    use super::*;

    #[test]
    fn results_have_the_order_of_the_items() {
        let items: Vec<u32> = (0..100).collect();
        assert_eq!(map(&items, |item| Ok(*item)).unwrap(), items);
        let failed = map(&items, |item| {
            ensure!(*item != 7, "seven");
            Ok(*item)
        });
        assert!(failed.is_err());
    }

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
