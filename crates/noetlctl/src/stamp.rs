//! The build stamp: one JSON object in a named section of the binary. The version, commit and target of a
//! binary can be read from its file on any machine, without running it.
//!
//! `noetl version --json` and `/api/version` show it; `cargo xtask verify` reads it from the file.

use std::fmt::Write as _;

use noetl_api::server::BuildStamp;
use serde::Deserialize;

macro_rules! stamp {
    () => {
        concat!(
            r#"{"schema":1,"name":"noetl","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#"","commit":""#,
            env!("NOETL_STAMP_COMMIT"),
            r#"","target":""#,
            env!("NOETL_STAMP_TARGET"),
            r#"","target_features":""#,
            env!("NOETL_STAMP_TARGET_FEATURES"),
            r#"","rustc":""#,
            env!("NOETL_STAMP_RUSTC"),
            r#"","ui_sha256":""#,
            env!("NOETL_STAMP_UI_SHA256"),
            r#"","default_port":8082}"#,
            "\n"
        )
    };
}

// The port in the text above is a literal, because `concat!` takes no constants.
const _: () = assert!(noetl_server::DEFAULT_PORT == 8082);

#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__TEXT,__noetl_build"))]
#[cfg_attr(windows, unsafe(link_section = ".noetl"))]
#[cfg_attr(
    not(any(target_vendor = "apple", windows)),
    unsafe(link_section = ".noetl.build")
)]
static STAMP: [u8; stamp!().len()] = {
    let mut bytes = [0; stamp!().len()];
    bytes.copy_from_slice(stamp!().as_bytes());
    bytes
};

/// The JSON in the section.
#[derive(Deserialize)]
struct Section {
    schema: u32,
    name: String,
    version: String,
    commit: String,
    target: String,
    target_features: String,
    rustc: String,
    ui_sha256: String,
    default_port: u16,
}

/// Returns the stamp as `noetl version --json` and `/api/version` show it: an empty hash becomes null, and
/// `ui_embedded` tells whether the web page is in the binary.
pub(crate) fn build() -> BuildStamp {
    // Read through a volatile pointer, so that the optimiser cannot replace the section by a copy.
    // SAFETY: STAMP is a static of exactly this type.
    let bytes = unsafe { std::ptr::read_volatile(&raw const STAMP) };
    let section: Section =
        serde_json::from_slice(&bytes).expect("the build script writes valid JSON");
    BuildStamp {
        ui_embedded: !section.ui_sha256.is_empty(),
        schema: section.schema,
        name: section.name,
        version: section.version,
        commit: section.commit,
        target: section.target,
        target_features: section.target_features,
        rustc: section.rustc,
        ui_sha256: Some(section.ui_sha256).filter(|hash| !hash.is_empty()),
        default_port: section.default_port,
    }
}

/// Formats the stamp as lines for people.
pub(crate) fn text() -> String {
    let stamp = build();
    let mut text = format!("noetl {}\n", stamp.version);
    for (label, value) in [
        ("commit", stamp.commit),
        ("target", stamp.target),
        ("rustc", stamp.rustc),
        ("ui", stamp.ui_sha256.unwrap_or_default()),
    ] {
        let value = if value.is_empty() { "none" } else { &value };
        writeln!(text, "{label:<10} {value}").expect("writing to a String cannot fail");
    }
    text
}
