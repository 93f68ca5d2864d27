//! F2 to F5 and F11: the file system that all layers make together.

use crate::check::certificates;
use crate::check::entrypoint::user;
use crate::check::expect::Expectations;
use crate::check::layers::Told;
use crate::check::rootfs::{Kind, RootFs};
use crate::check::walk::{Image, Tree};
use crate::check::{Findings, secrets};
use crate::oci::model::ImageConfig;

/// What a runtime puts over an image when it starts.
const MOUNTED: &[&str] = &["dev", "proc", "sys"];

pub(super) fn check(tree: &Tree, expected: &Expectations, findings: &mut Findings) {
    for image in tree.runnable() {
        secrets::check(image, findings);
        let (Some(config), Some(rootfs)) = (&image.config, &image.rootfs) else {
            continue;
        };
        tmp(image, rootfs, findings);
        certificates::check(image, config, rootfs, expected, findings);
        numeric_user(image, config, findings);
        known_user(image, config, rootfs, findings);
        links(image, rootfs, findings);
    }
}

/// F2.
fn tmp(image: &Image, rootfs: &RootFs, findings: &mut Findings) {
    let object = format!("{} /tmp", image.name);
    match rootfs.resolve("/tmp") {
        Some((_, node)) if node.kind == Kind::Folder && node.mode & 0o7777 == 0o1777 => {}
        Some((_, node)) => {
            let message = format!("mode {:o}, not that of a folder for everybody", node.mode);
            findings.add("F2", object, message);
        }
        None => findings.add("F2", object, "it is missing"),
    }
}

/// F5: Kubernetes cannot know of a name whether it is root's.
fn numeric_user(image: &Image, config: &ImageConfig, findings: &mut Findings) {
    let run = config.config.as_ref();
    let text = run.and_then(|run| run.user.clone()).unwrap_or_default();
    let (user, group) = text.split_once(':').unwrap_or((&text, "0"));
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    if text.is_empty() {
        findings.add("F5", &image.name, "no user is set, which is root");
    } else if !is_number(user) || !is_number(group) {
        findings.add(
            "F5",
            &image.name,
            format!("user `{text}` is not `uid:gid` in numbers"),
        );
    } else if user.parse() == Ok(0) {
        findings.add("F5", &image.name, format!("user `{text}` is root"));
    }
}

/// F4.
fn known_user(image: &Image, config: &ImageConfig, rootfs: &RootFs, findings: &mut Findings) {
    let mut add = |message: String| findings.add("F4", &image.name, message);
    let Some((user, group)) = user(config, rootfs) else {
        return add("/etc/passwd or /etc/group does not know the user's name".to_owned());
    };
    let with_id = |file: &str, id: u64| {
        let text = String::from_utf8_lossy(rootfs.read(file)?).into_owned();
        let mut lines = text
            .lines()
            .map(|line| line.split(':').map(ToOwned::to_owned));
        lines.find_map(|fields| {
            let fields: Vec<String> = fields.collect();
            (fields.get(2)?.parse() == Ok(id)).then_some(fields)
        })
    };
    if with_id("/etc/group", group).is_none() {
        add(format!("/etc/group does not know {group}"));
    }
    match with_id("/etc/passwd", user).map(|fields| fields.get(5).cloned().unwrap_or_default()) {
        None => add(format!("/etc/passwd does not know {user}")),
        Some(home) => match rootfs.resolve(&home) {
            Some((_, node)) if node.kind == Kind::Folder && node.owner == user => {}
            Some((_, node)) => add(format!("{home} is owner {}'s, not {user}'s", node.owner)),
            None => add(format!("the home {home} is missing")),
        },
    }
    let run = config.config.as_ref();
    let folder = run
        .and_then(|run| run.working_dir.clone())
        .unwrap_or_default();
    // No folder at all is the root's.
    if !folder.is_empty() && !folder.starts_with('/') {
        return add(format!("the working folder {folder} is no absolute path"));
    }
    let there = rootfs
        .follow(&folder)
        .is_some_and(|path| rootfs.exists(&path));
    if !there {
        add(format!("the working folder {folder} is missing"));
    }
}

/// F11. What a link names below /proc and the like is there once a container runs.
fn links(image: &Image, rootfs: &RootFs, findings: &mut Findings) {
    let mut told: Vec<_> = (0..image.layers.len())
        .map(|position| Told::new(image, position))
        .collect();
    for (path, node) in rootfs.nodes() {
        let Kind::Symlink(target) = &node.kind else {
            continue;
        };
        let led = rootfs.follow(path);
        let fine = led.as_ref().is_some_and(|led| {
            let top = led.split('/').next().unwrap_or_default();
            MOUNTED.contains(&top) || rootfs.exists(led)
        });
        if let Some(told) = told.get_mut(node.layer).filter(|_| !fine) {
            told.add(
                "F11",
                path,
                format!("it leads to {target}, where nothing is"),
            );
        }
    }
    told.into_iter().for_each(|told| told.conclude(findings));
}
