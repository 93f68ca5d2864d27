//! 64-bit ids that grow with time: milliseconds, a shard for each server, a counter.

use std::sync::Mutex;

use crate::clock;

/// 2024-01-01T00:00:00Z, from which the milliseconds count.
const EPOCH_MS: i64 = 1_704_067_200_000;
const SHARD_BITS: u32 = 5;
const COUNTER_BITS: u32 = 18;
/// How many servers can make ids at the same time.
pub(crate) const SHARDS: i64 = 1 << SHARD_BITS;

/// Makes the ids of one server.
#[derive(Debug)]
pub(crate) struct Ids {
    shard: i64,
    last: Mutex<(i64, i64)>,
}

impl Ids {
    /// `shard` is the server's own number, less than [`SHARDS`].
    pub(crate) fn new(shard: i64) -> Self {
        Self {
            shard: shard & (SHARDS - 1),
            last: Mutex::new((0, 0)),
        }
    }

    /// Returns the next id. It is greater than all before, even when the clock is set back.
    pub(crate) fn next(&self) -> i64 {
        self.next_after(0)
    }

    /// Returns the next id that is also greater than `other`, which a server with a faster clock may have made.
    pub(crate) fn next_after(&self, other: i64) -> i64 {
        let mut last = self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let ahead = (other >> (SHARD_BITS + COUNTER_BITS)) + 1;
        let floor = if other > 0 && other >= Self::id(last.0, self.shard, last.1) {
            ahead
        } else {
            0
        };
        let now = (clock::now_ms() - EPOCH_MS).max(last.0).max(floor);
        let counter = if now == last.0 { last.1 + 1 } else { 0 };
        // After the last number of a millisecond comes the first of the next.
        *last = if counter >> COUNTER_BITS == 0 {
            (now, counter)
        } else {
            (now + 1, 0)
        };
        Self::id(last.0, self.shard, last.1)
    }

    fn id(ms: i64, shard: i64, counter: i64) -> i64 {
        (ms << (SHARD_BITS + COUNTER_BITS)) | (shard << COUNTER_BITS) | counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_id_is_greater_than_one_of_a_server_with_a_faster_clock() {
        let ids = Ids::new(1);
        let ahead = ids.next() + (60_000 << (SHARD_BITS + COUNTER_BITS));
        let next = ids.next_after(ahead);
        assert!(next > ahead);
        assert_eq!(
            next >> COUNTER_BITS & (SHARDS - 1),
            1,
            "the shard is its own"
        );
        assert!(ids.next() > next);
    }

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
