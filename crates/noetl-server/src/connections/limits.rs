//! How many connections there are and may be.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// In all.
    pub(crate) all: usize,
    /// Of one address.
    pub(crate) per_address: usize,
    /// Beyond the other limits, for health and metrics.
    pub(crate) reserve: usize,
}

impl Limits {
    /// Returns limits that leave half of the descriptors that a process may have to its store, its tools and files.
    pub(crate) fn of_descriptors(descriptors: usize) -> Self {
        let all = (descriptors / 2).clamp(64, 8_192);
        Self {
            all,
            per_address: (all / 2).max(32),
            reserve: (all / 16).clamp(8, 64),
        }
    }
}

/// The connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    limits: Limits,
    open: Mutex<Open>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of: HashMap<IpAddr, usize>,
    in_reserve: usize,
}

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    All,
    /// Health and metrics.
    Reserve,
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Admission {
    connections: Arc<Connections>,
    address: IpAddr,
    share: Share,
}

impl Connections {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            open: Mutex::default(),
            refused: AtomicU64::new(0),
        })
    }

    /// Returns a place for a connection; none when the reserve is full as well.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admission> {
        let address = address.to_canonical();
        let mut open = self.open();
        let of_address = open.of.get(&address).copied().unwrap_or(0);
        let share = if open.all < self.limits.all && of_address < self.limits.per_address {
            open.all += 1;
            *open.of.entry(address).or_default() += 1;
            Share::All
        } else if open.in_reserve < self.limits.reserve {
            open.in_reserve += 1;
            Share::Reserve
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        Some(Admission {
            connections: Arc::clone(self),
            address,
            share,
        })
    }

    /// Returns how many connections are open, those of the reserve included.
    pub(crate) fn open_count(&self) -> usize {
        let open = self.open();
        open.all + open.in_reserve
    }

    /// Returns how many connections were closed at once because there was no room.
    pub(crate) fn refused_count(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    pub(super) fn share(&self) -> Share {
        self.share
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        if self.share == Share::Reserve {
            open.in_reserve -= 1;
            return;
        }
        open.all -= 1;
        if let Some(count) = open.of.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.of.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn connections_are_limited_in_all_and_per_address() {
        let connections = Connections::new(Limits {
            all: 3,
            per_address: 2,
            reserve: 1,
        });
        let admit = |last| connections.admit(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
        let share = |admission: &Option<Admission>| admission.as_ref().map(Admission::share);
        let (one, two) = (admit(1), admit(1));
        assert_eq!(
            (share(&one), share(&two)),
            (Some(Share::All), Some(Share::All))
        );
        let three = admit(1);
        assert_eq!(share(&three), Some(Share::Reserve), "of its address");
        assert_eq!(share(&admit(1)), None, "the reserve is full");
        let four = admit(2);
        assert_eq!(share(&four), Some(Share::All), "another address has room");
        drop(three);
        let five = admit(3);
        assert_eq!(share(&five), Some(Share::Reserve), "in all");
        assert_eq!(connections.open_count(), 4);
        assert_eq!(connections.refused_count(), 1);
        drop((one, two, four, five));
        assert_eq!(connections.open_count(), 0);
        assert!(connections.open().of.is_empty());
        assert_eq!(share(&admit(1)), Some(Share::All));
    }

    #[test]
    fn limits_follow_the_descriptors() {
        assert_eq!(Limits::of_descriptors(1_024).all, 512);
        assert_eq!(Limits::of_descriptors(1_048_576).all, 8_192);
        assert_eq!(Limits::of_descriptors(10).all, 64);
    }
}
