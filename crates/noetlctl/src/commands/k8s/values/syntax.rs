//! The syntax of names, labels and quantities in Kubernetes.

/// Whether this is a label of RFC 1123, such as the name of a namespace.
pub(super) fn is_label(name: &str) -> bool {
    (1..=63).contains(&name.len()) && is_part(name)
}

/// Whether this is a subdomain of RFC 1123, such as the name of a Secret and of most objects.
pub(super) fn is_subdomain(name: &str) -> bool {
    (1..=253).contains(&name.len()) && name.split('.').all(is_part)
}

/// Whether this is a valid key of a Secret or a ConfigMap.
pub(super) fn is_key(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=253).contains(&name.len()) && name.bytes().all(valid)
}

/// Whether this is the key of a label: a name, with or without a subdomain and a slash in front of it.
pub(super) fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_qualified(name),
        None => is_qualified(key),
    }
}

/// Whether this is the value of a label, which may be empty.
pub(super) fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_qualified(value)
}

/// Parses a quantity, such as 0.1 for `100m` and 1024 for `1Ki`.
pub(super) fn quantity(text: &str) -> Option<f64> {
    const UNITS: &[(&str, f64)] = &[
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("", 1.0),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
    ];
    let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let digits = text.bytes().take_while(is_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    if let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) {
        return Some(number * factor);
    }
    let exponent = unit.strip_prefix(['e', 'E'])?;
    Some(number * 10f64.powi(exponent.parse().ok()?))
}

fn is_part(part: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !part.is_empty() && part.bytes().all(valid) && !part.starts_with('-') && !part.ends_with('-')
}

fn is_qualified(name: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    is_key(name) && name.len() <= 63 && ends(name.bytes().next()) && ends(name.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_follow_the_rules_of_kubernetes() {
        assert!(is_label("noetl-2") && !is_label("a.b") && !is_label("-a") && !is_label("A"));
        assert!(is_subdomain("my.secret") && !is_subdomain("my..secret") && !is_subdomain(""));
        assert!(is_key("DATABASE_URL") && !is_key("BAD KEY") && !is_key("b/c"));
        assert!(
            is_label_key("kubernetes.io/arch") && !is_label_key("bad key!") && !is_label_key("/a")
        );
        assert!(is_label_value("") && is_label_value("ssd") && !is_label_value("-a"));
    }

    #[test]
    fn a_quantity_is_a_number_with_a_unit() {
        for (text, number) in [
            ("100m", Some(0.1)),
            ("1Ki", Some(1024.0)),
            ("1e3", Some(1000.0)),
            ("0.5", Some(0.5)),
            ("1gb", None),
            ("", None),
            ("-1Gi", None),
            ("100x", None),
        ] {
            assert_eq!(quantity(text), number, "{text}");
        }
    }
}
