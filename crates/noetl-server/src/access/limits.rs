//! Limits on callers that are not known, each for an address: how many requests it may send, and how often it may be
//! wrong about the token.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many requests of one address are answered in one second.
const REQUESTS: u32 = 5_000;
/// How many wrong tokens an address may send before it has to wait.
const FREE_FAILURES: u32 = 20;
/// The first wait. Each further wrong token doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After this time without a request, an address is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// How many addresses are remembered. Beyond that, those that were silent for longest are forgotten.
const ADDRESSES: usize = 10_000;

/// The counts of addresses.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<HashMap<IpAddr, Counts>>);

#[derive(Debug)]
struct Counts {
    last: Instant,
    /// The second that is counted.
    second: Instant,
    requests: u32,
    failures: u32,
    /// Until when wrong tokens are not counted, and answered with a wait.
    waits_until: Instant,
}

impl Counts {
    fn new(now: Instant) -> Self {
        Self {
            last: now,
            second: now,
            requests: 0,
            failures: 0,
            waits_until: now,
        }
    }
}

impl Limits {
    /// Counts a request, and returns whether it is within this second's limit of its address.
    pub(super) fn count_request(&self, peer: Option<IpAddr>) -> bool {
        self.count(peer, Instant::now(), |counts, now| {
            if now.duration_since(counts.second) >= Duration::from_secs(1) {
                (counts.second, counts.requests) = (now, 0);
            }
            counts.requests += 1;
            counts.requests <= REQUESTS
        })
    }

    /// Counts a wrong token. Fails with a wait when it comes too early after others.
    pub(super) fn count_failure(&self, peer: Option<IpAddr>) -> Result<(), Duration> {
        self.count_failure_at(peer, Instant::now())
    }

    fn count_failure_at(&self, peer: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        self.count(peer, now, |counts, now| {
            let wait = counts.waits_until.saturating_duration_since(now);
            if !wait.is_zero() {
                return Err(wait);
            }
            counts.failures += 1;
            if let Some(beyond) = counts.failures.checked_sub(FREE_FAILURES) {
                let wait = FIRST_WAIT * 2_u32.saturating_pow(beyond.min(16));
                counts.waits_until = now + wait.min(LONGEST_WAIT);
            }
            Ok(())
        })
    }

    fn count<T>(
        &self,
        peer: Option<IpAddr>,
        now: Instant,
        count: impl FnOnce(&mut Counts, Instant) -> T,
    ) -> T {
        let mut addresses = self.addresses();
        let address = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), caller_of);
        if addresses.len() >= ADDRESSES && !addresses.contains_key(&address) {
            forget(&mut addresses, now);
        }
        let counts = addresses.entry(address).or_insert_with(|| Counts::new(now));
        if now.duration_since(counts.last) >= FORGOTTEN {
            *counts = Counts::new(now);
        }
        counts.last = now;
        count(counts, now)
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the tenth of the addresses that was silent for longest.
fn forget(addresses: &mut HashMap<IpAddr, Counts>, now: Instant) {
    addresses.retain(|_, counts| now.duration_since(counts.last) < FORGOTTEN);
    let mut times: Vec<Instant> = addresses.values().map(|counts| counts.last).collect();
    times.sort_unstable();
    if let Some(oldest) = times.get(ADDRESSES / 10) {
        addresses.retain(|_, counts| counts.last > *oldest);
    }
}

/// Returns the address that counts: one network of IPv6 has more addresses than can be counted.
fn caller_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from(number)))
    }

    #[test]
    fn wrong_tokens_wait_longer_each_time() {
        let limits = Limits::default();
        let mut now = Instant::now();
        for _ in 0..FREE_FAILURES {
            assert_eq!(limits.count_failure_at(address(1), now), Ok(()));
        }
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(limits.count_failure_at(address(1), now), Err(wait));
            assert_eq!(
                limits.count_failure_at(address(2), now),
                Ok(()),
                "another address"
            );
            now += wait;
            assert_eq!(limits.count_failure_at(address(1), now), Ok(()));
        }
        now += FORGOTTEN;
        assert_eq!(limits.count_failure_at(address(1), now), Ok(()));
        assert_eq!(
            limits.count_failure_at(address(1), now),
            Ok(()),
            "it is forgotten"
        );
    }

    #[test]
    fn the_memory_of_addresses_is_bounded() {
        let limits = Limits::default();
        for number in 0..30_000 {
            assert!(limits.count_request(address(number)));
        }
        assert!(limits.addresses().len() <= ADDRESSES);
    }

    #[test]
    fn an_address_has_its_own_requests_and_a_network_of_ipv6_is_one() {
        let limits = Limits::default();
        let v6 = |last: u16| {
            Some(IpAddr::V6(Ipv6Addr::new(
                0x2001, 0xdb8, 0, 1, 0, 0, 0, last,
            )))
        };
        let (mut answered, start) = (0, Instant::now());
        for number in 0..REQUESTS + 10 {
            answered += u32::from(limits.count_request(v6((number % 100) as u16)));
        }
        // On a slow machine a second may have passed.
        let seconds = u32::try_from(start.elapsed().as_secs()).expect("a short time") + 1;
        assert!(answered <= REQUESTS * seconds);
        assert!(limits.count_request(address(1)));
    }
}
