//! P1 to P9: platforms of the index, and whether what starts there can start there.

use std::collections::BTreeMap;

use crate::archive;
use crate::binary;
use crate::check::Findings;
use crate::check::walk::{Image, Tree};
use crate::oci::model::{ImageConfig, PlatformFields};
use crate::target::{Arch, Os, Platform};
use crate::ustar::Entry;

pub(super) fn check(tree: &Tree, declared: &[Platform], findings: &mut Findings) {
    for (digest, index) in &tree.indexes {
        let platforms: Vec<_> = index
            .manifests
            .iter()
            .map(|child| child.platform.clone())
            .collect();
        check_set(digest, &platforms, declared, findings);
    }
    if tree.indexes.is_empty() {
        let name = "index.json";
        findings.add(
            "P1",
            name,
            "it names a single image and no index: only one kind of node can run it",
        );
    }
    for image in &tree.images {
        check_agreement(image, findings);
        check_programs(image, findings);
    }
}

fn check_set(
    digest: &str,
    platforms: &[Option<PlatformFields>],
    declared: &[Platform],
    findings: &mut Findings,
) {
    let mut found = Vec::new();
    for platform in platforms {
        match platform {
            Some(platform) if !platform.architecture.is_empty() && !platform.os.is_empty() => {
                found.push(platform)
            }
            _ => findings.add("P2", digest, "a child without architecture or system"),
        }
    }
    let names: Vec<_> = found
        .iter()
        .map(|platform| format!("{}/{}", platform.os, platform.architecture))
        .collect();
    for (position, name) in names.iter().enumerate() {
        if names[..position].contains(name) {
            findings.add("P3", digest, format!("{name} is there twice"));
        }
        if !declared
            .iter()
            .any(|platform| platform.without_variant() == *name)
        {
            findings.add("P1", digest, format!("{name} was not asked for"));
        }
    }
    for platform in declared.iter().map(Platform::without_variant) {
        if !names.contains(&platform) {
            findings.add("P1", digest, format!("{platform} is missing"));
        }
    }
}

fn check_agreement(image: &Image, findings: &mut Findings) {
    let (Some(platform), Some(config)) = (&image.descriptor.platform, &image.config) else {
        return;
    };
    let declared = (&platform.os, &platform.architecture, &platform.variant);
    let configured = (&config.os, &config.architecture, &config.variant);
    if declared != configured {
        findings.add(
            "P4",
            &image.name,
            format!("the index says {declared:?}, the config {configured:?}"),
        );
    }
    for variant in [&platform.variant, &config.variant].into_iter().flatten() {
        if platform.architecture != "arm64" || variant != "v8" {
            findings.add(
                "P5",
                &image.name,
                format!("variant {variant} on {}", platform.architecture),
            );
        }
    }
    if platform.variant != config.variant {
        findings.add("P5", &image.name, "the variants in index and config differ");
    }
}

fn check_programs(image: &Image, findings: &mut Findings) {
    let Some(config) = &image.config else {
        return;
    };
    let mut files = BTreeMap::new();
    for (position, layer) in image.layers.iter().enumerate() {
        // What is in an unreadable layer cannot be judged; that it is unreadable has been said.
        let Some(layer) = layer else {
            return;
        };
        let name = format!("{} layer {position}", image.name);
        let Some(entries) = findings.require("S8", &name, archive::untar(layer)) else {
            return;
        };
        files.extend(
            entries
                .into_iter()
                .map(|(entry, _)| (entry.path.clone(), entry)),
        );
    }
    let entrypoint = entrypoint(config);
    check_entrypoint(image, config, &entrypoint, &files, findings);
    for (path, entry) in &files {
        if binary::is_elf(&entry.bytes) && Some(path.as_str()) != entrypoint.strip_prefix('/') {
            let expected = expected(config);
            match binary::facts(&entry.bytes) {
                Ok(facts) if facts.arch == expected => {}
                Ok(facts) => findings.add(
                    "P7",
                    format!("{} /{path}", image.name),
                    wrong_arch(facts.arch, config),
                ),
                Err(error) => findings.add(
                    "P7",
                    format!("{} /{path}", image.name),
                    format!("{error:#}"),
                ),
            }
        }
    }
}

fn check_entrypoint(
    image: &Image,
    config: &ImageConfig,
    path: &str,
    files: &BTreeMap<String, Entry>,
    findings: &mut Findings,
) {
    let object = format!("{} {path}", image.name);
    let Some(relative) = path.strip_prefix('/') else {
        findings.add("P9", object, "the entry point is not an absolute path");
        return;
    };
    let Some(entry) = files.get(relative) else {
        findings.add("P9", object, "there is no such file in the image");
        return;
    };
    if !may_run(config, entry) {
        findings.add(
            "P9",
            &object,
            format!(
                "mode {:o} keeps the configured user from running it",
                entry.mode
            ),
        );
    }
    match binary::facts(&entry.bytes) {
        Err(error) => findings.add("P6", object, format!("{error:#}")),
        Ok(facts) => {
            if facts.os != Os::Linux || facts.arch != expected(config) {
                findings.add("P6", &object, wrong_arch(facts.arch, config));
            }
            if let Some(interpreter) = facts.interpreter {
                findings.add("P8", &object, format!("it needs the loader {interpreter}"));
            }
            if !facts.libraries.is_empty() {
                findings.add(
                    "P8",
                    &object,
                    format!("it needs {}", facts.libraries.join(", ")),
                );
            }
        }
    }
}

/// What a container starts: the entry point's first word, or the command's where there is none.
fn entrypoint(config: &ImageConfig) -> String {
    let run = config.config.clone().unwrap_or_default();
    let words = run
        .entrypoint
        .unwrap_or_default()
        .into_iter()
        .chain(run.cmd.unwrap_or_default());
    words.into_iter().next().unwrap_or_default()
}

fn may_run(config: &ImageConfig, entry: &Entry) -> bool {
    let user = config
        .config
        .as_ref()
        .and_then(|run| run.user.clone())
        .unwrap_or_default();
    let user = user
        .split(':')
        .next()
        .and_then(|user| user.parse::<u32>().ok())
        .unwrap_or(0);
    let needed = if user == 0 {
        0o111
    } else if user == entry.owner {
        0o100
    } else {
        0o001
    };
    !entry.path.ends_with('/') && entry.mode & needed != 0
}

fn expected(config: &ImageConfig) -> Option<Arch> {
    match config.architecture.as_str() {
        "amd64" => Some(Arch::X86_64),
        "arm64" => Some(Arch::Aarch64),
        _ => None,
    }
}

fn wrong_arch(found: Option<Arch>, config: &ImageConfig) -> String {
    let found = match found {
        Some(Arch::X86_64) => "amd64",
        Some(Arch::Aarch64) => "arm64",
        None => "another processor",
    };
    format!(
        "built for {found}, and the image is for {}",
        config.architecture
    )
}
