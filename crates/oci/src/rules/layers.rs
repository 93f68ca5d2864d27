//! F1, F6, F7, F8 and F10: how layers are written. Each violation in an own layer is a finding; for a layer of a base
//! image there is one info for each rule.

use std::collections::BTreeSet;

use crate::member::Member;
use crate::rules::catalogue::{F1, F6, F7, F8, F10};
use crate::rules::subject::{ImageView, LayerView, Origin, Subject};
use crate::rules::{Expectations, Findings, Rule, Severity};

pub(super) fn check(subject: &Subject<'_>, expected: &Expectations, findings: &mut Findings) {
    for view in subject.runnable() {
        let mtime = expected.created.unwrap_or_else(|| own_time(&view));
        for layer in view.layers() {
            let Some(contents) = layer.contents else {
                continue;
            };
            let mut found = LayerFindings::new(&view, &layer);
            check_order(&contents.members, &mut found);
            for member in &contents.members {
                check_member(member, mtime, &expected.owners, &mut found);
            }
            found.conclude(findings);
        }
    }
    check_same_on_all_platforms(subject, findings);
}

/// Returns the time that all entries should have when none is expected: that of the first entry of the own layers.
fn own_time(view: &ImageView<'_>) -> u64 {
    let own = view.layers().filter(|it| *it.origin == Origin::Own);
    let mut layers = own.chain(view.layers());
    let first = layers.find_map(|layer| layer.contents?.members.first());
    first.map_or(0, |member| member.mtime)
}

/// The findings in one layer.
pub(super) struct LayerFindings<'a> {
    name: String,
    origin: &'a Origin,
    found: Vec<(&'static Rule, String, String)>,
}

impl<'a> LayerFindings<'a> {
    pub(super) fn new(view: &ImageView<'a>, layer: &LayerView<'a>) -> Self {
        Self {
            name: view.layer_name(layer.position),
            origin: layer.origin,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, rule: &'static Rule, path: &str, message: impl Into<String>) {
        let path = path.trim_end_matches('/').to_owned();
        self.found.push((rule, path, message.into()));
    }

    /// Adds all findings of an own layer; of a base image's layer, adds one info for each rule.
    pub(super) fn conclude(self, findings: &mut Findings) {
        let Origin::Base(digest) = self.origin else {
            for (rule, path, message) in self.found {
                findings.add(rule, format!("{} {path}", self.name), message);
            }
            return;
        };
        let mut rules: Vec<_> = self.found.iter().map(|(rule, ..)| *rule).collect();
        rules.sort_by_key(|rule| rule.order());
        rules.dedup();
        for rule in rules {
            let mut of_it = self.found.iter().filter(|(other, ..)| *other == rule);
            let count = of_it.clone().count();
            if let Some((_, path, message)) = of_it.next() {
                let message =
                    format!("{count} in the base image {digest}, such as {path}: {message}");
                findings.add_as(Severity::Info, rule, &self.name, message);
            }
        }
    }
}

/// F6: kinds and order of records.
fn check_order(members: &[Member], found: &mut LayerFindings<'_>) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut previous = "";
    for member in members {
        let path = member.header_path.as_str();
        if member.is_extension() {
            found.add(
                &F6,
                path,
                format!("it is an extension record of type {}", member.kind),
            );
            continue;
        }
        if !member.is_ustar {
            found.add(&F6, path, "the header is not POSIX ustar");
        }
        if path.starts_with('/') || path.split('/').any(|part| part == ".." || part == ".") {
            found.add(&F6, path, "the path is absolute, or contains . or ..");
        }
        let mut names = path.rsplit('/').filter(|part| !part.is_empty());
        if names.next().is_some_and(|it| it.starts_with(".wh.")) {
            found.add(&F6, path, "it removes an entry of another layer");
        }
        let plain = path.trim_end_matches('/');
        if let Some((folder, _)) = plain.rsplit_once('/')
            && !seen.contains(folder)
        {
            found.add(&F6, path, "its folder is not listed before it");
        }
        if !is_after(previous, path) {
            found.add(&F6, path, format!("it comes after {previous}"));
        }
        if !seen.insert(plain) {
            found.add(&F6, path, "it is listed twice");
        }
        previous = path;
    }
}

/// Returns whether `path` comes after `previous`, either in byte order or in the order of a folder tree; writers use
/// both.
fn is_after(previous: &str, path: &str) -> bool {
    fn parts(path: &str) -> impl Iterator<Item = &str> {
        path.trim_end_matches('/').split('/')
    }
    previous.is_empty() || path > previous || parts(path).gt(parts(previous))
}

/// F1, F7 and F8: mode, time, owner and kind of a record.
fn check_member(member: &Member, mtime: u64, known: &[u64], found: &mut LayerFindings<'_>) {
    let path = member.header_path.as_str();
    if member.is_extension() {
        if member.has_xattrs {
            found.add(&F8, path, "it has extended attributes");
        }
        return;
    }
    let mode = member.mode & 0o7777;
    let plain = path.trim_end_matches('/').trim_start_matches("./");
    let is_tmp = plain == "tmp" && mode == 0o1777;
    if mode & 0o6000 != 0 || (mode & 0o002 != 0 && member.kind != '2' && !is_tmp) {
        found.add(&F1, path, format!("it has mode {mode:o}"));
    }
    if member.mtime != mtime {
        found.add(
            &F7,
            path,
            format!("its time is {}, not {mtime}", member.mtime),
        );
    }
    let [owner, group] = member.owners;
    if !known.contains(&owner) || !known.contains(&group) {
        found.add(&F7, path, format!("its owner is {owner}:{group}"));
    }
    if let Some(name) = &member.owner_name {
        found.add(
            &F7,
            path,
            format!("it contains the name of its owner, {name}"),
        );
    }
    let what = match member.kind {
        '0' | '2' | '5' => return,
        '1' => "it is a hard link",
        '3' | '4' => "it is a device",
        '6' => "it is a pipe",
        'S' => "it is a sparse file",
        _ => "not every runtime supports this kind of record",
    };
    found.add(&F8, path, what);
}

/// F10: layers without machine code are the same on all platforms. Differences in base images are infos.
fn check_same_on_all_platforms(subject: &Subject<'_>, findings: &mut Findings) {
    let views: Vec<_> = subject.runnable().collect();
    let Some((first, others)) = views.split_first() else {
        return;
    };
    for other in others {
        for (one, another) in first.layers().zip(other.layers()) {
            if one.descriptor.digest == another.descriptor.digest {
                continue;
            }
            let position = one.position;
            let object = format!("{} and {} layer {position}", first.name(), other.name());
            match one.origin {
                Origin::Base(digest) => {
                    let message = format!("they differ in the base image {digest}");
                    findings.add_as(Severity::Info, &F10, object, message);
                }
                Origin::Own if !may_differ(&one) && !may_differ(&another) => {
                    findings.add(&F10, object, "they differ, and contain no machine code");
                }
                Origin::Own => {}
            }
        }
        if first.layers().count() != other.layers().count() {
            let object = format!("{} and {}", first.name(), other.name());
            let severity = if first.is_own() {
                Severity::Error
            } else {
                Severity::Info
            };
            findings.add_as(
                severity,
                &F10,
                object,
                "they have different numbers of layers",
            );
        }
    }
}

/// Returns whether a layer may differ between platforms: it contains machine code, or could not be read.
fn may_differ(layer: &LayerView<'_>) -> bool {
    match layer.contents {
        Some(contents) if contents.problem.is_none() => contents.has_machine_code(),
        _ => true,
    }
}
