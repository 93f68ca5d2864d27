//! Times: milliseconds in the store, RFC 3339 in answers.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The time now, in milliseconds since 1970 in UTC.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
        })
}

/// The clock of leases and delays, in milliseconds since 1970. It runs on by itself when the system's clock is set, so
/// that this neither ends leases nor makes commands wait.
#[derive(Debug)]
pub(crate) struct LeaseClock {
    start: Instant,
    /// The time at `start`.
    started_at: AtomicI64,
}

impl LeaseClock {
    /// Returns a clock that shows `now`.
    pub(crate) fn new(now: i64) -> Self {
        Self {
            start: Instant::now(),
            started_at: AtomicI64::new(now),
        }
    }

    /// Returns the time.
    pub(crate) fn now(&self) -> i64 {
        self.started_at.load(Ordering::Relaxed) + self.elapsed()
    }

    /// Sets the clock to the time of a database that several servers share.
    pub(crate) fn set(&self, now: i64) {
        self.started_at
            .store(now - self.elapsed(), Ordering::Relaxed);
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX / 2)
    }
}

/// A time in RFC 3339, such as `2026-11-23T12:00:00.123Z`.
pub(crate) fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |time| format!("{time:.3}"))
}

/// The milliseconds of a time in RFC 3339; none when the text is not one.
pub(crate) fn parse(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_millisecond)
}

/// The seconds from one time to another, both in milliseconds.
pub(crate) fn seconds_between(start: i64, end: i64) -> f64 {
    // The store may hold times that NoETL did not write.
    end.saturating_sub(start) as f64 / 1000.0
}

/// A duration for people, such as `1m 3s`.
pub(crate) fn human(ms: i64) -> String {
    let seconds = ms / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) => format!("{ms} ms"),
        (0, 0, _) => format!("{:.1} s", ms as f64 / 1000.0),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h {minutes}m {seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(parse("2023-11-14T22:13:20.123Z"), Some(1_700_000_000_123));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(human(63_000), "1m 3s");
    }
}
