//! F: what is in the layers, and how it is written.

use anyhow::Context as _;
use noetl_oci::rules::Rule;
use noetl_oci::rules::catalogue::{F1, F2, F3, F4, F5, F6, F7, F8, F9, F10, F11, F12};

use crate::{AMD64, ARM64, Edit, Mutant, Parts, records};

const PASSWD: &str = "etc/passwd";

/// In the order of the rules.
pub(super) const MUTANTS: &[Mutant] = &[
    parts(&F1, |it| {
        it.edit_program(AMD64, |entry| {
            entry.set_mode(0o4755);
            Ok(())
        })
    }),
    parts(&F2, |it| {
        it.edit_everywhere("tmp/", |entries| {
            records::find(entries, "tmp/")?.set_mode(0o755);
            Ok(())
        })
    }),
    parts(&F3, |it| {
        let bundle = "etc/ssl/certs/ca-certificates.crt";
        it.edit_everywhere(bundle, |entries| {
            let pem = &mut records::find(entries, bundle)?.content;
            let half = memchr::memmem::find(&pem[pem.len() / 2..], b"-----BEGIN");
            pem.truncate(pem.len() / 2 + half.context("no certificate")?);
            Ok(())
        })
    }),
    parts(&F4, |it| {
        it.edit_everywhere(PASSWD, |entries| {
            records::find(entries, PASSWD)?.content =
                b"root:x:0:0:root:/root:/sbin/nologin\n".to_vec();
            Ok(())
        })
    }),
    parts(&F5, |it| {
        it.run(AMD64)?.user = Some("nonroot".to_owned());
        Ok(())
    }),
    parts(&F6, |it| {
        it.edit_everywhere("tmp/", |entries| {
            entries.rotate_right(1);
            Ok(())
        })
    }),
    parts(&F7, |it| {
        it.edit_program(AMD64, |entry| {
            entry.set_time(1);
            Ok(())
        })
    }),
    added(&F8, "etc/null", |entry| entry.set_kind(b'3')),
    added(&F9, "home/nonroot/.npmrc", |entry| {
        entry.content = b"//registry.example.com/:_authToken=none\n".to_vec();
    }),
    parts(&F10, |it| {
        let path = "etc/nsswitch.conf";
        it.edit(ARM64, path, |entries| {
            records::find(entries, path)?.content.push(b'\n');
            Ok(())
        })
    }),
    added(&F11, "etc/localtime", |entry| {
        entry.set_kind(b'2');
        entry.set_link("/usr/share/zoneinfo/UTC");
    }),
    parts(&F12, |it| {
        it.edit_program(AMD64, |entry| {
            entry.content = b"#!/bin/sh\nexec program \"$@\"\n".to_vec();
            Ok(())
        })
    }),
];

const fn parts(rule: &'static Rule, edit: fn(&mut Parts) -> anyhow::Result<()>) -> Mutant {
    Mutant::new(rule, Edit::Parts(edit))
}

const fn added(
    rule: &'static Rule,
    path: &'static str,
    edit: fn(&mut records::RawEntry),
) -> Mutant {
    Mutant::new(rule, Edit::Added(path, edit))
}

/// Adds an entry to the shared layer of every image.
pub(super) fn add(
    parts: &mut Parts,
    path: &str,
    edit: fn(&mut records::RawEntry),
) -> anyhow::Result<()> {
    parts.edit_everywhere(PASSWD, |entries| {
        let mut entry = records::find(entries, PASSWD)?.beside(path, 0o644, Vec::new());
        edit(&mut entry);
        records::insert(entries, entry);
        Ok(())
    })
}
