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

/// Returns a number without a fraction as an integer. One beyond 2^63 in a binary fraction has no exact one.
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
    (float.fract() == 0.0 && float.abs() < 2f64.powi(63)).then_some(float as i128)
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

pub(super) fn is_multiple(number: &Number, divisor: &Number) -> bool {
    if let (Some(number), Some(divisor)) = (whole(number), whole(divisor)) {
        return divisor != 0 && number % divisor == 0;
    }
    let (Some(number), Some(divisor)) = (number.as_f64(), divisor.as_f64()) else {
        return false;
    };
    // 0.3 / 0.1 is 2.9999999999999996: decimal fractions have no exact binary ones.
    let quotient = number / divisor;
    (quotient - quotient.round()).abs() <= 1e-9 * quotient.abs().max(1.0)
}
