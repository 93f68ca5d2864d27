//! Tests of references to secrets: which are replaced, and which are refused.

use serde_json::json;

use super::resolve;
use crate::secret_reference::{find_all, to_environment_variable, to_field};
use crate::tool::tests::TestHost;

fn host() -> TestHost {
    let mut host = TestHost::new().with("api", "bearer", json!({"token": "t0p"}));
    host.environment_variables
        .insert("GIVEN".into(), "yes".into());
    host
}

#[tokio::test]
async fn references_are_replaced_by_their_secrets() {
    let mut value = json!({
        "list": [to_field("api", "token")], "plain": 1, "variable": to_environment_variable("GIVEN"),
    });
    let known = find_all(&value);
    resolve(&mut value, &known, &host()).await.unwrap();
    let expected = json!({"list": ["t0p"], "plain": 1, "variable": "yes"});
    assert_eq!(value, expected);
}

#[tokio::test]
async fn references_of_other_executions_are_refused() {
    let known = [to_field("api", "token")];
    let mut forged = known[0].clone();
    forged["$secret"]["seal"] = "0".repeat(32).into();
    let failure = resolve(&mut forged, &known, &host()).await.unwrap_err();
    assert_eq!(failure.kind, "auth");
    assert!(failure.message.contains("only in the execution"));
}

#[tokio::test]
async fn secrets_that_no_longer_exist_are_a_failure() {
    for reference in [
        to_field("api", "gone"),
        to_field("gone", "token"),
        to_environment_variable("GONE"),
    ] {
        let known = [reference.clone()];
        let mut value = reference;
        let failure = resolve(&mut value, &known, &host()).await.unwrap_err();
        assert_eq!(failure.kind, "auth");
        assert!(failure.message.to_lowercase().contains("gone"), "{failure}");
    }
}
