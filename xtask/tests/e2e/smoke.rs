//! `cargo xtask smoke`: a dist on a machine without Rust and without a checkout.

use serde_json::Value;

use crate::support::{Dist, copy, flip, show, succeed, xtask};

#[test]
fn a_dist_is_installed_and_run_without_a_checkout() {
    let Some(dist) = Dist::find() else { return };
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let (Some(archive), true) = (dist.archive(&target), cfg!(target_os = "linux")) else {
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    copy(&dist.folder, &elsewhere.path().join("dist"));
    let smoke = |words: &[&str]| {
        let mut smoke = xtask(words);
        // PATH has only shells and coreutils.
        smoke
            .current_dir(elsewhere.path())
            .env("PATH", "/usr/bin:/bin");
        smoke.env_remove("CARGO_TARGET_DIR");
        smoke
    };
    let said = succeed(&mut smoke(&["--quiet", "smoke", "dist", "--json"]));
    let proofs: Vec<Value> = serde_json::from_str(&said).unwrap();
    let proof = |way: &str| proofs.iter().find(|proof| proof["way"] == way).unwrap();
    assert_eq!(proof("archive")["passed"], true, "{said}");
    assert_eq!(proof("archive")["artifact"], archive.name, "{said}");
    let left = std::fs::read_dir(elsewhere.path().join("target/xtask")).unwrap();
    assert_eq!(left.count(), 0, "nothing is left behind");
    let sums = elsewhere.path().join("dist/SHA256SUMS");
    let listed = std::fs::read_to_string(&sums).unwrap();
    std::fs::write(&sums, listed.replace(&archive.name, "another")).unwrap();
    let said = show(&mut smoke(&["--quiet", "smoke", "dist"]));
    assert!(said.contains("is not what SHA256SUMS lists"), "{said}");
    std::fs::remove_file(&sums).unwrap();
    let said = show(&mut smoke(&["--quiet", "smoke", "dist"]));
    assert!(
        said.contains("SHA256SUMS") && said.ends_with("[exit 1]"),
        "{said}"
    );
    std::fs::write(&sums, listed).unwrap();
    flip(&elsewhere.path().join("dist").join(&archive.name));
    let said = show(&mut smoke(&["--quiet", "smoke", "dist"]));
    assert!(
        said.contains("is not what dist-manifest.json lists"),
        "{said}"
    );
    assert!(said.ends_with("help: fetch it again\n[exit 1]"), "{said}");
    let said = show(&mut smoke(&["--quiet", "smoke", "nothing"]));
    assert!(
        said.contains("help: `cargo xtask dist` makes one"),
        "{said}"
    );
}
