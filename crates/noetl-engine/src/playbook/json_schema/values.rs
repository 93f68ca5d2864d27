//! Equality, order and multiples of JSON values (JSON Schema Core, section 4.2.2).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Number, Value as Json};

/// Returns a text that two values share exactly if they are equal: numbers by their value, mappings in any order.
pub(super) fn canonical(value: &Json) -> String {
    match value {
        Json::Number(number) => match whole(number) {
            Some(whole) => whole.to_string(),
            None => number.to_string(),
        },
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Json::Object(entries) => {
            let entries: BTreeMap<_, _> = entries
                .iter()
                .map(|(key, value)| (key, canonical(value)))
                .collect();
            let entries: Vec<_> = entries
                .into_iter()
                .map(|(key, value)| format!("{}:{value}", Json::from(&**key)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        value => value.to_string(),
    }
}

/// Returns a number without a fraction as an integer, if one of 128 bits holds it.
fn whole(number: &Number) -> Option<i128> {
    if let Some(integer) = number.as_i64() {
        return Some(integer.into());
    }
    if let Some(integer) = number.as_u64() {
        return Some(integer.into());
    }
    let float = number.as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is checked to be in range"
    )]
    (float.fract() == 0.0 && float.abs() < 2f64.powi(126)).then_some(float as i128)
}

pub(super) fn compare(number: &Number, bound: &Number) -> Ordering {
    match (whole(number), whole(bound)) {
        (Some(number), Some(bound)) => number.cmp(&bound),
        _ => {
            let float = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
            float(number).total_cmp(&float(bound))
        }
    }
}

/// Whether a number is a multiple of another one, as decimal fractions: 0.3 is one of 0.1, which binary fractions deny.
pub(super) fn is_multiple(number: &Number, divisor: &Number) -> bool {
    let (Some(number), Some(divisor)) = (Decimal::of(number), Decimal::of(divisor)) else {
        return false;
    };
    if divisor.digits == 0 {
        return false;
    }
    let shift = number.exponent - divisor.exponent;
    if shift >= 0 {
        // (a * b) mod n, so that the factors stay small.
        let ten = (0..shift).fold(1, |power, _| power * 10 % divisor.digits);
        return number.digits % divisor.digits * ten % divisor.digits == 0;
    }
    // With more than the digits of a number the divisor is greater than every number but 0.
    let scale = u32::try_from(-shift)
        .ok()
        .and_then(|shift| 10u128.checked_pow(shift));
    let scaled = scale.and_then(|scale| divisor.digits.checked_mul(scale));
    scaled.map_or(number.digits == 0, |scaled| number.digits % scaled == 0)
}

/// The shortest decimal that is read as a number, without its sign: digits × 10^exponent.
struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    fn of(number: &Number) -> Option<Self> {
        let text = number.to_string();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let mantissa = mantissa.trim_start_matches('-');
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let places = i32::try_from(after.len()).ok()?;
        Some(Self {
            digits: format!("{before}{after}").parse().ok()?,
            exponent: exponent.parse::<i32>().ok()? - places,
        })
    }
}
