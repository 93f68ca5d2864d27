//! Makes an image of a program for two platforms, checks it and pushes it:
//! `cargo run -p noetl-oci --example two_platforms -- ./app-amd64 ./app-arm64 127.0.0.1:5000/app:1`

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use noetl_oci::registry::{Anonymous, Client, Network, PushOptions, Silent, push};
use noetl_oci::rules::{Expectations, check};
use noetl_oci::tar::Entry;
use noetl_oci::{
    Blob, ImageSpec, KnownLayers, LayerCache, LayerSpec, MAKER, PlatformSpec, Reference, RunConfig,
    assemble,
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [amd64, arm64, name] = arguments.as_slice() else {
        bail!("usage: two_platforms AMD64_PROGRAM ARM64_PROGRAM NAME");
    };
    let name: Reference = name.parse()?;
    let spec = ImageSpec {
        maker: MAKER.to_owned(),
        created: 0,
        annotations: [].into(),
        names: vec![name.clone()],
        base: None,
        platforms: vec![
            platform("linux/amd64", amd64)?,
            platform("linux/arm64/v8", arm64)?,
        ],
    };
    let layout = assemble(&spec, &LayerCache::none())?;
    let expected = Expectations::of(spec.platforms.iter().map(|it| it.platform.clone()));
    let findings = check(&layout, &expected, &[], &KnownLayers::default())?;
    findings.lines().iter().for_each(|line| eprintln!("{line}"));
    // Rules F and C require users, certificates and labels, which this image does not have.
    let breaks = |family| findings.ids().iter().any(|id| id.starts_with(family));
    ensure!(!breaks('S') && !breaks('P'), "the image cannot be run");
    let client = Client::new(Arc::new(Anonymous), Network::default());
    let published = push(&client, &layout, &[name], PushOptions::default(), &Silent);
    println!("{}", published.context("cannot push the image")?.digest);
    Ok(())
}

/// Returns the description of the image of one platform: a program in the root folder.
fn platform(platform: &str, program: &str) -> anyhow::Result<PlatformSpec> {
    let program = Blob::of_file(program.as_ref())?;
    let name = "app".to_owned();
    let entries = vec![Entry::file("app", 0o755, program)];
    Ok(PlatformSpec {
        platform: platform.parse()?,
        run: RunConfig {
            entrypoint: Some(vec!["/app".to_owned()]),
            ..RunConfig::default()
        },
        layers: vec![LayerSpec { name, entries }],
    })
}
