//! Requests to token servers and their answers (token.md and oauth.md of distribution). Nothing is sent here.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use ureq::http::Method;

use crate::registry::challenge::Challenge;
use crate::registry::credentials::Credentials;
use crate::registry::secret::Secret;

/// A request to a token server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenRequest {
    pub(super) method: Method,
    pub(super) url: String,
    /// The value of `Authorization` with the scheme Basic, when there is a password.
    pub(super) authorization: Option<Secret>,
    /// The encoded form with a refresh token, when there is one.
    pub(super) form: Option<Secret>,
}

/// The `client_id` in requests with a refresh token.
const CLIENT_ID: &str = "noetl-oci";

/// Returns the request to the token server `realm`: a GET with or without a password, or a POST with a refresh token.
/// The scope of the challenge is added when `scopes` do not include it.
pub(super) fn request(
    realm: &str,
    challenge: &Challenge,
    scopes: &[String],
    credentials: Option<&Credentials>,
) -> TokenRequest {
    let mut scopes = scopes.to_vec();
    if let Some(scope) = challenge.parameter("scope")
        && !scopes.iter().any(|own| covers(own, scope))
    {
        scopes.push(scope.to_owned());
    }
    let service = challenge.parameter("service");
    let service = service.map(|service| format!("service={}", encoded(service)));
    if let Some(Credentials::Identity(token)) = credentials {
        let scope = format!("scope={}", encoded(&scopes.join(" ")));
        let form = [
            "grant_type=refresh_token".to_owned(),
            format!("client_id={CLIENT_ID}"),
            scope,
        ];
        let token = format!("refresh_token={}", encoded(token.reveal()));
        let form: Vec<_> = form.into_iter().chain(service).chain([token]).collect();
        return TokenRequest {
            method: Method::POST,
            url: realm.to_owned(),
            authorization: None,
            form: Some(Secret::new(form.join("&"))),
        };
    }
    let scopes = scopes
        .iter()
        .map(|scope| format!("scope={}", encoded(scope)));
    let query: Vec<_> = service.into_iter().chain(scopes).collect();
    let mark = if realm.contains('?') { '&' } else { '?' };
    TokenRequest {
        method: Method::GET,
        url: format!("{realm}{mark}{}", query.join("&")),
        authorization: match credentials {
            Some(Credentials::Password(user, password)) => Some(password.basic(user)),
            _ => None,
        },
        form: None,
    }
}

/// Parses an answer, and returns the token and its lifetime, which is 60 seconds by default (token.md).
pub(super) fn read(body: &[u8]) -> anyhow::Result<(Secret, Duration)> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<serde_json::Value>,
    }
    // The message of the parser could contain the token.
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| anyhow!("its answer is not the JSON that token.md describes"))?;
    let token = answer.token.or(answer.access_token);
    let token = token.filter(|token| !token.is_empty());
    let token = token.context("its answer has neither `token` nor `access_token`")?;
    Ok((Secret::new(token), lifetime(answer.expires_in.as_ref())))
}

/// Returns the lifetime of a token, at least 60 s, which token.md has as its default, and at most a day. Servers also
/// write it as text or with a fraction, and none of that is a reason to refuse the token.
fn lifetime(expires_in: Option<&serde_json::Value>) -> Duration {
    let seconds = expires_in.and_then(|value| match value {
        serde_json::Value::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    });
    let seconds: f64 = seconds.unwrap_or_default();
    Duration::from_secs(seconds.clamp(60.0, 86_400.0) as u64)
}

/// Returns whether the scope `own` includes the scope `asked`: the same name and at least the same actions.
fn covers(own: &str, asked: &str) -> bool {
    let parts = |scope: &str| {
        let (name, actions) = scope.rsplit_once(':').unwrap_or((scope, ""));
        let actions: Vec<_> = actions.split(',').map(ToOwned::to_owned).collect();
        (name.to_owned(), actions)
    };
    let ((name, own), (asked_name, asked)) = (parts(own), parts(asked));
    name == asked_name && asked.iter().all(|action| own.contains(action))
}

/// Percent-encodes text, except unreserved characters and `:`, `/` and `,`, so that scopes stay readable in logs.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/,".contains(&byte);
    let mut encoded = String::new();
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::challenge;

    fn asked(credentials: Option<&Credentials>) -> TokenRequest {
        let header = r#"Bearer realm="https://a.example/token",service="my registry",scope="repository:o/n:pull""#;
        let scopes = [
            "repository:o/n:pull,push".to_owned(),
            "repository:o/base:pull".to_owned(),
        ];
        request(
            "https://a.example/token",
            &challenge::parse(header)[0],
            &scopes,
            credentials,
        )
    }

    #[test]
    fn a_password_is_sent_in_a_header_and_scopes_in_the_query() {
        let credentials = Credentials::Password("me".to_owned(), Secret::new("pw"));
        let request = asked(Some(&credentials));
        assert_eq!(request.authorization, Some(Secret::new("pw").basic("me")));
        insta::assert_snapshot!(format!("{} {}", request.method, request.url), @"GET https://a.example/token?service=my%20registry&scope=repository:o/n:pull,push&scope=repository:o/base:pull");
        assert_eq!(asked(None).authorization, None);
    }

    #[test]
    fn an_identity_token_is_sent_in_a_form() {
        let request = asked(Some(&Credentials::Identity(Secret::new("t+k&"))));
        assert_eq!(
            (request.method, request.url.as_str()),
            (Method::POST, "https://a.example/token")
        );
        insta::assert_snapshot!(request.form.unwrap().reveal(), @"grant_type=refresh_token&client_id=noetl-oci&scope=repository:o/n:pull,push%20repository:o/base:pull&service=my%20registry&refresh_token=t%2Bk%26");
    }

    #[test]
    fn a_token_is_read_from_both_fields() {
        let seconds = |json: &str| read(json.as_bytes()).map(|(_, lifetime)| lifetime.as_secs());
        assert_eq!(
            seconds(r#"{"token": "t", "expires_in": 300, "issued_at": "x"}"#).unwrap(),
            300
        );
        assert_eq!(seconds(r#"{"access_token": "t"}"#).unwrap(), 60);
        for (given, expected) in [
            ("0", 60),
            ("-5", 60),
            ("null", 60),
            ("\"300\"", 300),
            ("\"soon\"", 60),
            ("300.7", 300),
            ("1e30", 86_400),
        ] {
            let json = format!(r#"{{"token": "t", "expires_in": {given}}}"#);
            assert_eq!(seconds(&json).unwrap(), expected, "{given}");
        }
        for json in ["{}", r#"{"token": ""}"#, r#"{"token": 5}"#, "hunter2"] {
            let error = format!("{:#}", seconds(json).unwrap_err());
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
