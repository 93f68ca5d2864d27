//! The parts of a dist and of the page, as paths with bytes.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8Path;
use noetl_help::Help as _;
use noetl_oci::{Image, Layout};
use object::{Object as _, ObjectSection as _};

use crate::host::ctx::Ctx;
use crate::host::files;
use crate::release::dist_manifest::{Content, DistManifest, FILE_NAME, image_name};
use crate::release::packages::archives;
use crate::release::target::Target;

/// Parts by path, such as `binary/x86_64-unknown-linux-musl/.text`. None is below another.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts(BTreeMap<String, u64>);

impl From<BTreeMap<String, u64>> for Parts {
    fn from(parts: BTreeMap<String, u64>) -> Self {
        Self(parts)
    }
}

impl Parts {
    /// Adds bytes to a part.
    pub(super) fn add(&mut self, path: String, bytes: u64) {
        *self.0.entry(path).or_default() += bytes;
    }

    /// Returns the parts.
    pub(super) fn leaves(&self) -> &BTreeMap<String, u64> {
        &self.0
    }

    /// Returns the parts.
    pub(super) fn into_leaves(self) -> BTreeMap<String, u64> {
        self.0
    }

    /// Returns each part and each group of parts, whose bytes are the sum.
    pub(super) fn totals(&self) -> BTreeMap<String, u64> {
        let mut totals = BTreeMap::new();
        for (path, bytes) in &self.0 {
            let ends = path.match_indices('/').map(|(end, _)| end);
            for end in ends.chain([path.len()]) {
                *totals.entry(path[..end].to_owned()).or_default() += bytes;
            }
        }
        totals
    }

    /// Adds the sections of the binaries, and the layers of the image as they are sent.
    ///
    /// # Errors
    /// When it is not a dist, or a file of it cannot be read.
    pub(super) fn add_dist(&mut self, dist: &Utf8Path) -> anyhow::Result<()> {
        let text = files::read_to_string(&dist.join(FILE_NAME));
        let text = text.help("cargo xtask dist, or name one by --dist")?;
        let manifest = serde_json::from_str(&text);
        let manifest: DistManifest =
            manifest.with_context(|| format!("cannot read {FILE_NAME} of {dist}"))?;
        for artifact in &manifest.artifacts {
            let Content::Archive(archive) = &artifact.content else {
                continue;
            };
            let target = Target::find(&archive.target);
            let target = target.with_context(|| format!("no target {}", archive.target))?;
            let packed = files::read(&dist.join(&artifact.name))?;
            let entries = archives::unpack(target, &packed)?;
            let mut entries = entries.into_iter();
            let binary = entries.find(|entry| entry.path == archive.binary);
            let binary = binary.with_context(|| format!("{} has no binary", artifact.name))?;
            self.add_binary(&archive.target, &binary.content.read()?)?;
        }
        let image = dist.join(image_name(&manifest.release));
        if image.is_file() {
            self.add_image(&Layout::open(&image)?)?;
        }
        Ok(())
    }

    /// Adds the sections of a binary; what is between them, such as its headers, is `rest`.
    fn add_binary(&mut self, triple: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let file = object::File::parse(bytes).with_context(|| format!("binary of {triple}"))?;
        let mut rest = bytes.len() as u64;
        for section in file.sections() {
            let length = section.file_range().map_or(0, |(_, length)| length);
            let name = section.name().unwrap_or("?").replace('/', "_");
            if length > 0 {
                self.add(format!("binary/{triple}/{name}"), length);
                rest = rest.saturating_sub(length);
            }
        }
        self.add(format!("binary/{triple}/rest"), rest);
        Ok(())
    }

    fn add_image(&mut self, layout: &Layout) -> anyhow::Result<()> {
        for platform in &Image::read(layout)?.platforms {
            let Some(manifest) = &platform.manifest else {
                continue;
            };
            let name = format!("image/{}", platform.name());
            self.add(format!("{name}/config"), manifest.value.config.size);
            for (number, layer) in manifest.value.layers.iter().enumerate() {
                self.add(format!("{name}/layer-{}", number + 1), layer.size);
            }
        }
        Ok(())
    }

    /// Adds the files of the page, if it is built.
    pub(super) fn add_page(&mut self, ctx: &Ctx) -> anyhow::Result<()> {
        let folder = ctx.root.join("ui-src/dist");
        if !folder.is_dir() {
            return Ok(());
        }
        for name in files::list(&folder)? {
            let metadata = folder.join(&name).metadata();
            let metadata = metadata.with_context(|| format!("cannot read {name}"))?;
            self.add(format!("page/{name}"), metadata.len());
        }
        Ok(())
    }
}
