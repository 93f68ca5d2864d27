//! 64-bit ids that grow with time: milliseconds, a shard for each server, a counter.

use std::sync::Mutex;

use crate::clock;

/// 2024-01-01T00:00:00Z, from which the milliseconds count.
const EPOCH_MS: i64 = 1_704_067_200_000;
const SHARD_BITS: u32 = 5;
const COUNTER_BITS: u32 = 18;
/// How many servers can make ids at the same time.
pub(crate) const SHARDS: i64 = 1 << SHARD_BITS;

/// Makes ids for one server.
#[derive(Debug)]
pub(crate) struct Ids {
    shard: i64,
    last: Mutex<(i64, i64)>,
}

impl Ids {
    /// `shard` is the server's own number, below [`SHARDS`].
    pub(crate) fn new(shard: i64) -> Self {
        Self {
            shard: shard & (SHARDS - 1),
            last: Mutex::new((0, 0)),
        }
    }

    /// The next id, greater than every one before, whatever the clock does.
    pub(crate) fn next(&self) -> i64 {
        let mut last = self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = (clock::now_ms() - EPOCH_MS).max(last.0);
        let counter = if now == last.0 { last.1 + 1 } else { 0 };
        // A full counter borrows from the next millisecond.
        *last = if counter >> COUNTER_BITS == 0 {
            (now, counter)
        } else {
            (now + 1, 0)
        };
        (last.0 << (SHARD_BITS + COUNTER_BITS)) | (self.shard << COUNTER_BITS) | last.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_differ_between_shards() {
        let (one, two) = (Ids::new(1), Ids::new(2));
        let mut previous = 0;
        for _ in 0..300_000 {
            let id = one.next();
            assert!(id > previous, "{id} after {previous}");
            previous = id;
        }
        assert_ne!(
            one.next() >> COUNTER_BITS & (SHARDS - 1),
            two.next() >> COUNTER_BITS & (SHARDS - 1)
        );
    }
}
