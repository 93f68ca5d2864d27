//! How often a request is sent, and how long to wait before the next try.

use std::time::Duration;

/// Counts tries, and decides how long to wait between them.
#[derive(Debug, Clone)]
pub(super) struct Tries {
    left: u32,
    next: Duration,
}

/// The longest time that a server may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Tries {
    /// Returns a counter of six tries in about three seconds, unless the server asks to wait longer.
    pub(super) fn new() -> Self {
        Self {
            left: 5,
            next: Duration::from_millis(100),
        }
    }

    /// Returns how long to wait before the next try; `None` after the last try, or when `asked`, the time that the
    /// server asks to wait, is more than [`LONGEST_WAIT`].
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let wait = asked.unwrap_or_default().max(self.next);
        if self.left == 0 || wait > LONGEST_WAIT {
            return None;
        }
        self.left -= 1;
        self.next *= 2;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_and_ends() {
        let mut tries = Tries::new();
        let waits: Vec<_> = std::iter::from_fn(|| tries.next(None)).collect();
        let waits: Vec<_> = waits.iter().map(Duration::as_millis).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600]);
    }

    #[test]
    fn the_time_that_a_server_asks_for_is_waited_up_to_a_limit() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(Tries::new().next(seconds(7)), seconds(7));
        assert_eq!(
            Tries::new().next(seconds(0)),
            Some(Duration::from_millis(100))
        );
        assert_eq!(Tries::new().next(seconds(3600)), None);
    }
}
