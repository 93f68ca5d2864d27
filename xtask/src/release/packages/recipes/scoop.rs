//! The manifest for a Scoop bucket.

use serde_json::{Map, Value, json};

use super::{DESCRIPTION, Recipe};
use crate::release::target::{Arch, Os};
use crate::release::workspace::{HOMEPAGE, LICENSE, REPOSITORY};

pub(super) fn manifest(recipe: &Recipe<'_>) -> String {
    let (version, tag) = (&recipe.release.version, &recipe.release.tag);
    let (mut now, mut later) = (Map::new(), Map::new());
    for (name, arch) in [("64bit", Arch::X86_64), ("arm64", Arch::Aarch64)] {
        let Some(download) = recipe.find(Os::Windows, arch) else {
            continue;
        };
        let (url, folder) = (recipe.url(download), recipe.folder(download));
        let next = |text: &str| Value::from(text.replace(tag, "v$version"));
        later.insert(
            name.into(),
            json!({"url": next(&url), "extract_dir": next(&folder)}),
        );
        let sha256 = download.sha256.to_string();
        now.insert(
            name.into(),
            json!({"url": url, "hash": sha256, "extract_dir": folder}),
        );
    }
    let manifest = json!({
        "version": version,
        "description": DESCRIPTION,
        "homepage": HOMEPAGE,
        "license": LICENSE,
        "architecture": now,
        "bin": "noetl.exe",
        "checkver": {"github": REPOSITORY},
        "autoupdate": {
            "architecture": later,
            "hash": {"url": "$baseurl/SHA256SUMS"},
        },
    });
    format!("{manifest:#}\n")
}
