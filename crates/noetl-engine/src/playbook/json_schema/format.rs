//! `format`: what a text stands for (JSON Schema Validation, section 7.3).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use jiff::civil::Date;
use regex_lite::Regex;

use super::pattern;

/// A format that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Date,
    Time,
    DateTime,
    Duration,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Uri,
    Uuid,
    Regex,
}

/// The shapes that the parsers of dates do not insist on (RFC 3339, section 5.6).
struct Shapes {
    date: Regex,
    time: Regex,
    duration: Regex,
    email: Regex,
    label: Regex,
    uri: Regex,
    uuid: Regex,
}

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
    let shape = |pattern: &str| {
        Regex::new(&format!("^(?:{pattern})$")).expect("each pattern is tried by a test")
    };
    Shapes {
        date: shape(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        time: shape(
            r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))",
        ),
        duration: shape(
            r"P(?:[0-9]+W|(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?(?:T(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)?)",
        ),
        email: shape(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"),
        label: shape(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"),
        uri: shape(
            r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=\[\]-]|%[0-9A-Fa-f]{2})*",
        ),
        uuid: shape(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    }
});

impl Format {
    /// The formats by their names.
    pub(crate) const NAMES: [(&'static str, Self); 11] = [
        ("date", Self::Date),
        ("time", Self::Time),
        ("date-time", Self::DateTime),
        ("duration", Self::Duration),
        ("email", Self::Email),
        ("hostname", Self::Hostname),
        ("ipv4", Self::Ipv4),
        ("ipv6", Self::Ipv6),
        ("uri", Self::Uri),
        ("uuid", Self::Uuid),
        ("regex", Self::Regex),
    ];

    /// Returns what a text of the format is called, with an example.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Date => "a date, such as 2026-01-31",
            Self::Time => "a time with its offset, such as 09:30:00Z",
            Self::DateTime => "a date and time with its offset, such as 2026-01-31T09:30:00Z",
            Self::Duration => "a duration of ISO 8601, such as P1DT12H",
            Self::Email => "an e-mail address",
            Self::Hostname => "a host name",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::Uri => "a URI with its scheme, such as https://example.org/",
            Self::Uuid => "a UUID, such as 123e4567-e89b-12d3-a456-426614174000",
            Self::Regex => "a regular expression",
        }
    }

    /// Whether a text has the format.
    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Self::Date => is_date(text),
            Self::Time => is_time(text),
            Self::DateTime => text.split_at_checked(10).is_some_and(|(date, time)| {
                is_date(date) && time.strip_prefix(['T', 't']).is_some_and(is_time)
            }),
            Self::Duration => SHAPES.duration.is_match(text) && !text.ends_with(['P', 'T']),
            Self::Email => text.rsplit_once('@').is_some_and(|(local, host)| {
                local.len() <= 64 && SHAPES.email.is_match(local) && is_hostname(host)
            }),
            Self::Hostname => is_hostname(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Uri => SHAPES.uri.is_match(text),
            Self::Uuid => SHAPES.uuid.is_match(text),
            Self::Regex => pattern(text).is_ok(),
        }
    }
}

fn is_date(text: &str) -> bool {
    SHAPES.date.is_match(text) && text.parse::<Date>().is_ok()
}

/// Whether a text is a time with an offset. A second 60 is one that is inserted at the end of a day in UTC.
fn is_time(text: &str) -> bool {
    let Some(found) = SHAPES.time.captures(text) else {
        return false;
    };
    let part = |at: usize| found.get(at).map_or("", |part| part.as_str());
    let number = |at: usize| part(at).parse().unwrap_or(0);
    let (hour, minute, second): (i32, i32, i32) = (number(1), number(2), number(3));
    let offset = number(5) * 60 + number(6);
    let utc = hour * 60 + minute + if part(4) == "-" { offset } else { -offset };
    let is_last = utc.rem_euclid(24 * 60) == 23 * 60 + 59;
    hour < 24 && minute < 60 && (second < 60 || second == 60 && is_last)
}

fn is_hostname(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|label| SHAPES.label.is_match(label))
}
