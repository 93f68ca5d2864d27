//! Tests of the redaction of secrets in all their forms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::{Secrets, is_secret};
use crate::host::Credential;

fn secrets_of(data: Json) -> Secrets {
    let mut secrets = Secrets::default();
    let Json::Object(data) = data else { panic!() };
    secrets.add_credential(&Credential {
        name: "api".to_owned(),
        kind: "generic".to_owned(),
        data,
    });
    secrets
}

fn redacted(secrets: &Secrets, text: &str) -> String {
    secrets.redacted(text).unwrap_or_else(|| text.to_owned())
}

#[test]
fn a_secret_is_redacted_in_every_form() {
    let secrets = secrets_of(json!({"password": "p\u{e4}ss/w \"1\"\\x"}));
    for form in [
        "p\u{e4}ss/w \"1\"\\x",
        "p%C3%A4ss%2Fw%20%221%22%5Cx",
        "p%c3%a4ss/w+%221%22%5cx",
        r#"pässw"#.replace("ssw", r#"ss/w \"1\"\\x"#).as_str(),
        r#"pässw"#.replace("ssw", r#"ss\/w \u00221\u0022\\x"#).as_str(),
    ] {
        let text = format!("a={form}&b=2");
        assert_eq!(redacted(&secrets, &text), "a=***&b=2", "{form}");
    }
    for other in ["p%C3%A4ss", "päss/w", "", "%", "100%", "\\", "ä"] {
        assert_eq!(redacted(&secrets, other), other);
    }
}

#[test]
fn base64_of_a_text_with_a_secret_is_redacted() {
    let secret = "correct-horse";
    let secrets = secrets_of(json!({ "token": secret }));
    for around in ["", "a", "ab", "abc", "someone:"] {
        for after in ["", "!", "!!"] {
            let encoded = STANDARD.encode(format!("{around}{secret}{after}"));
            let clean = redacted(&secrets, &encoded);
            assert!(clean.contains("***"), "{encoded}");
            assert!(clean.len() <= encoded.len() - 13, "{encoded} {clean}");
        }
    }
    let pair = secrets_of(json!({"username": "me", "password": "abc"}));
    let sent = format!("Basic {}", STANDARD.encode("me:abc"));
    assert_eq!(redacted(&pair, &sent), "Basic ***");
}

#[test]
fn a_secret_is_redacted_in_disguise() {
    let secret = "Corr&ct-H0rse";
    let secrets = secrets_of(json!({ "token": secret }));
    let hexadecimal = |around: &str| {
        let bytes = format!("{around}{secret}{around}").into_bytes();
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    for (form, what) in [
        (secret.to_uppercase(), "upper case"),
        (secret.to_lowercase(), "lower case"),
        (secret.chars().rev().collect(), "reversed"),
        (hexadecimal(""), "hexadecimal"),
        (
            hexadecimal("x").to_uppercase(),
            "hexadecimal in a longer text",
        ),
        ("Corr&amp;ct-H0rse".to_owned(), "HTML"),
        ("Corr&#38;ct&#45;H0rse".to_owned(), "HTML with numbers"),
        (
            "Corr&#x26;ct-H0rse".to_owned(),
            "HTML with hexadecimal numbers",
        ),
        // `printf %s … | base32`, alone and after one to four other letters.
        ("INXXE4RGMN2C2SBQOJZWK===".to_owned(), "base32"),
        ("PBBW64TSEZRXILKIGBZHGZI=".to_owned(), "base32 at 1"),
        ("PB4EG33SOITGG5BNJAYHE43F".to_owned(), "base32 at 2"),
        ("PB4HQQ3POJZCMY3UFVEDA4TTMU======".to_owned(), "base32 at 3"),
        ("PB4HQ6CDN5ZHEJTDOQWUQMDSONSQ====".to_owned(), "base32 at 4"),
    ] {
        let clean = redacted(&secrets, &format!("<{form}>"));
        assert!(clean.contains("***"), "{what}: {clean}");
    }
    for other in [
        "&amp;", "&#38;", "&", "Corr&amp", "correct", "&#x;", "&#999;",
    ] {
        assert_eq!(redacted(&secrets, other), other);
    }
}

#[test]
fn addresses_that_are_secrets_are_redacted() {
    let address = "https://hooks.example/T000/B000/xyzxyz";
    let secrets = secrets_of(json!({"webhook_url": address, "base_url": "https://api.example/v1"}));
    let text = format!("POST {address} from https://api.example/v1");
    assert_eq!(
        redacted(&secrets, &text),
        "POST *** from https://api.example/v1"
    );
    let secrets = secrets_of(
        json!({"dsn": "postgres://me:s3cr3t-pw@db/x", "url": "postgres://me:0th3r-pw@db/x"}),
    );
    assert_eq!(redacted(&secrets, "s3cr3t-pw 0th3r-pw"), "*** ***");
}

#[test]
fn keys_numbers_and_short_secrets_are_redacted() {
    let secrets =
        secrets_of(json!({"password": "abc", "pin": 4711, "token": "0123456789", "mode": "ro"}));
    let mut value = json!({
        "0123456789": [4711, 47110, "4711"],
        "abc": "abc, abcd, xabc and (abc)",
        "mode": "ro",
    });
    secrets.redact_value(&mut value);
    let expected = json!({
        "***": ["***", 47110, "***"],
        "mode": "ro",
    });
    assert_eq!(value["mode"], expected["mode"]);
    assert!(!value.to_string().contains("0123456789"));
    assert!(
        value.to_string().contains("***, abcd, xabc and (***)"),
        "{value}"
    );
    assert!(secrets.found_in(&json!({"a": ["0123456789"]})));
    assert!(!secrets.found_in(&json!({"a": [47110, "abcd"]})));
}

#[test]
fn fields_for_addresses_and_users_are_not_secret() {
    for public in [
        "host",
        "db_host",
        "User",
        "db_name",
        "port",
        "token_type",
        "base_url",
        "timeout_ms",
        "DB_HOST",
    ] {
        assert!(!is_secret(public), "{public}");
    }
    for secret in [
        "password",
        "db_password",
        "token",
        "anything",
        "API_TOKEN",
        "private_key",
    ] {
        assert!(is_secret(secret), "{secret}");
    }
}

#[test]
fn secrets_in_single_lines_quotes_and_wrapped_text_are_redacted() {
    let pem = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n";
    let secrets = secrets_of(json!({ "key": pem, "token": "0123456789abcdefghijklmnop" }));
    assert_eq!(
        redacted(&secrets, "exited: -----END KEY-----"),
        "exited: ***"
    );
    assert_eq!(redacted(&secrets, " kqhkiG9w0BAQEF"), " ***");
    assert_eq!(redacted(&secrets, pem.trim()), "***");
    for cut in ["HTTP 401: 0123456789abcdef", "HTTP 401: 0123456789abcdef…"] {
        assert!(!redacted(&secrets, cut).contains("0123"), "{cut}");
    }
    assert_eq!(redacted(&secrets, "0123456789 it is"), "0123456789 it is");
    let wrapped = "0123456789\nabcdefgh\r\nijkl\\nmnop";
    assert_eq!(redacted(&secrets, wrapped), "***");
    let umlaut = secrets_of(json!({"password": "p\u{e4}ssw\u{f6}rter"}));
    assert_eq!(redacted(&umlaut, r"{p\u00e4ssw\u00f6rter}"), "{***}");
}

#[test]
fn secrets_in_urls_and_json_are_redacted_and_ordinary_words_are_not() {
    let secrets = secrets_of(json!({
        "url": "postgres://me:hunter2-hunter2@db/x",
        "value": "{\"password\": \"inner-s3cret\", \"project\": \"ordinary-project\"}",
        "environment": "production", "timeout_ms": 300_000, "token_type": "Bearer",
        "password": "postgres",
    }));
    let text =
        "hunter2-hunter2 inner-s3cret ordinary-project production 300000 Bearer postgres://db";
    let expected = "*** *** ordinary-project production 300000 Bearer ***://db";
    assert_eq!(redacted(&secrets, text), expected);
    assert_eq!(
        redacted(&secrets, "postgresql postgres_ok"),
        "postgresql postgres_ok"
    );
    let key = secrets_of(json!({"username": "sk_live_4242424242", "password": ""}));
    assert_eq!(redacted(&key, "sk_live_4242424242"), "***");
    let sent = format!("Basic {}", STANDARD.encode("sk_live_4242424242:"));
    assert!(!redacted(&key, &sent).contains("c2tfbGl2"), "{sent}");
}
