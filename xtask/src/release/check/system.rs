//! The rules L1 and L2, and B8, on a package of a Linux distribution.

use anyhow::Context as _;
use noetl_oci::Blob;

use super::Check;
use crate::release::binary;
use crate::release::dist_manifest::System;
use crate::release::packages::archives::{REPACKED, differing};
use crate::release::packages::{deb, rpm, system};
use crate::release::rules::{A3, B1, L1, L2};
use crate::release::target::Target;

impl Check<'_> {
    /// Checks a deb and compares it with the archive of its target; `None` when it cannot be read to the end.
    pub(super) fn deb(&mut self, name: &str, content: &System, blob: &Blob) -> Option<()> {
        let release = &self.manifest.release;
        let target = self.target_of(name, content)?;
        self.name(name, &deb::file_name(release, target));
        let bytes = self.findings.require(&L1, name, blob.read())?;
        let found = self.findings.require(&L1, name, deb::read(&bytes))?;
        let program = self
            .findings
            .require(&L1, name, system::binary(&found.data))?;
        self.identity(name, target, &program)?;
        let facts = program.read().and_then(|bytes| binary::facts(&bytes));
        let facts = self.findings.require(&B1, name, facts)?;
        // Without them, an archive breaks a rule already.
        let companions = self.companions.as_ref()?;
        let expected = deb::package(release, target, &facts, program, companions);
        let expected = self.findings.require(&L1, name, expected)?;
        let difference = differing(&expected.control, &found.control)
            .or_else(|| differing(&expected.data, &found.data));
        let same = deb::is_written_from(&expected, release.commit_time, &bytes);
        self.conclude(name, difference, same)
    }

    /// Checks an rpm and compares it with the archive of its target; `None` when it cannot be read to the end.
    pub(super) fn rpm(&mut self, name: &str, content: &System, blob: &Blob) -> Option<()> {
        let release = &self.manifest.release;
        let target = self.target_of(name, content)?;
        self.name(name, &rpm::file_name(release, target));
        let bytes = self.findings.require(&L1, name, blob.read())?;
        let found = self.findings.require(&L1, name, rpm::read(&bytes))?;
        let program = self.findings.require(&L1, name, system::binary(&found))?;
        self.identity(name, target, &program)?;
        let companions = self.companions.as_ref()?;
        let expected = rpm::entries(program, companions);
        let expected = self.findings.require(&L1, name, expected)?;
        let same = rpm::is_written_from(release, target, &expected, &bytes);
        self.conclude(name, differing(&expected, &found), same)
    }

    fn target_of(&mut self, name: &str, content: &System) -> Option<&'static Target> {
        let triple = &content.target;
        let target = Target::find(triple).with_context(|| format!("unknown target {triple}"));
        self.findings.require(&A3, name, target)
    }

    fn conclude(
        &mut self,
        name: &str,
        difference: Option<String>,
        same: anyhow::Result<bool>,
    ) -> Option<()> {
        if let Some(path) = difference {
            let message = format!("{path} is not that of this release");
            self.findings.add(&L1, name, message);
        } else if !self.findings.require(&L2, name, same)? {
            self.findings.add(&L2, name, REPACKED);
        }
        Some(())
    }
}
