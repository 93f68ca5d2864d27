//! The rules A4, A5, A6 and B8 on the archive for both kinds of Macs.

use noetl_oci::{Blob, Sha256};

use super::Check;
use crate::release::packages::archives::{self, REPACKED};
use crate::release::packages::universal::{self, PARTS, UNIVERSAL};
use crate::release::rules::{A4, A5, B8};

impl Check<'_> {
    /// Compares the programs in the archive with those of the two archives; `None` when it cannot be read.
    pub(super) fn universal(&mut self, name: &str, blob: &Blob) -> Option<()> {
        let release = &self.manifest.release;
        self.name(name, &archives::file_name(release, &UNIVERSAL));
        let bytes = self.findings.require(&A4, name, blob.read())?;
        let entries = archives::unpack(&UNIVERSAL, &bytes);
        let entries = self.findings.require(&A4, name, entries)?;
        let parts = archives::parts(release, &UNIVERSAL, entries);
        let (binary, companions) = self.findings.require(&A4, name, parts)?;
        let packed = archives::entries(release, &UNIVERSAL, binary.clone(), &companions);
        let same = archives::is_packed_from(&UNIVERSAL, &packed, release.commit_time, &bytes);
        if !self.findings.require(&A5, name, same)? {
            self.findings.add(&A5, name, REPACKED);
        }
        self.companions(name, &companions);
        let binary = self.findings.require(&A4, name, binary.read())?;
        let programs = self
            .findings
            .require(&A4, name, universal::split(&binary))?;
        for (triple, program) in PARTS.iter().zip(programs) {
            if self.binaries.get(triple) != Some(&Sha256::of(program)) {
                let message = format!("its program is not that of the archive for {triple}");
                self.findings.add(&B8, name, message);
            }
        }
        Some(())
    }
}
