//! The command line itself: versions, help, and what the stamp says.

use crate::support::Home;

#[test]
fn version_and_help_are_plain() {
    let home = Home::new();
    assert_eq!(
        home.run(&["--version"]),
        format!("noetl {}\n[exit 0]", env!("CARGO_PKG_VERSION"))
    );
    let help = home.run(&["--help"]);
    for word in ["server", "version", "noetl server start"] {
        assert!(help.contains(word), "{help}");
    }
    assert!(home.run(&[]).ends_with("[exit 2]"));
    assert!(home.run(&["no-such-command"]).ends_with("[exit 2]"));
}

#[test]
fn version_json_says_what_the_binary_is() {
    let home = Home::new();
    let printed = home.noetl(&["version", "--json"]).output().unwrap().stdout;
    let stamp: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(stamp["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(stamp["default_port"], 8082);
    assert!(stamp["target"].as_str().unwrap().contains('-'));
    assert!(stamp["rustc"].as_str().unwrap().starts_with("rustc "));
    assert_eq!(
        stamp["ui_embedded"].as_bool().unwrap(),
        stamp["ui_sha256"].is_string()
    );
}

/// The stamp must be in the file as it is, once: that is how it is read without running it.
#[test]
fn the_stamp_is_in_the_file() {
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_noetl")).unwrap();
    let mark = br#"{"schema":1,"name":"noetl","version":""#;
    assert!(bytes.windows(mark.len()).any(|window| window == mark));
}
