//! S: blobs, descriptors and documents.

use std::io::Write as _;

use anyhow::Context as _;
use flate2::{Compression, GzBuilder};
use memchr::memmem;

use super::parts::{AMD64, ARM64};
use super::{Mutant, Parts, files, parts};
use crate::digest::Sha256;
use crate::oci::layout::Layout;
use crate::oci::model::{Descriptor, ImageIndex, LAYER_TAR, encode};

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// In the order of the rules.
pub(super) const MUTANTS: &[Mutant] = &[
    files(&["S1"], "a letter of a config is changed", false, |it| {
        let name = config_path(it)?;
        let config = it.files.get_mut(&name).context("the config is missing")?;
        let mark = b"org.opencontainers.image.title\":\"";
        let at = memmem::find(config, mark).context("there is no title")? + mark.len();
        // Nothing compares the title, so that the name of the blob is all that is wrong.
        config[at] = config[at].to_ascii_uppercase();
        Ok(())
    }),
    files(&["S2"], "a child's size is wrong", true, |it| {
        reindex(it, |text| {
            let mut index: ImageIndex = serde_json::from_str(text)?;
            let child = index.manifests.first_mut().context("no children")?;
            child.size += 1;
            Ok(encode(&index))
        })
    }),
    parts(&["S3"], "a diff id is another layer's", true, |it| {
        it.configs[ARM64].rootfs.diff_ids[0] = Sha256::of(b"another layer").oci();
        Ok(())
    }),
    parts(&["S4"], "a line of history is missing", true, |it| {
        it.configs[AMD64].history.pop().context("no history")?;
        Ok(())
    }),
    parts(&["S5"], "an image manifest has no media type", true, |it| {
        it.manifests[AMD64].media_type = None;
        Ok(())
    }),
    parts(&["S6"], "a config has Docker's media type", true, |it| {
        it.manifests[AMD64].config.media_type = DOCKER_CONFIG.to_owned();
        Ok(())
    }),
    parts(&["S7"], "the index says schema 1", false, |it| {
        it.index.schema_version = 1;
        Ok(())
    }),
    parts(&["S8"], "a layer is tar, and said to be gzip", true, |it| {
        it.repack(AMD64, |tar| Ok(tar.to_vec()))
    }),
    parts(&["S9"], "a layer is zstd", true, |it| {
        let position = it.layer_with(AMD64, &it.program_path(AMD64)?)?;
        it.repack(AMD64, |tar| Ok(zstd(tar)))?;
        let media_type = format!("{LAYER_TAR}+zstd");
        it.layers[AMD64][position].media_type = media_type;
        Ok(())
    }),
    parts(&["S10"], "gzip's header has a time", true, |it| {
        it.repack(AMD64, |tar| {
            let builder = GzBuilder::new().mtime(1).operating_system(255);
            let mut encoder = builder.write(Vec::new(), Compression::fast());
            encoder.write_all(tar).context("cannot compress")?;
            encoder.finish().context("cannot compress")
        })
    }),
    files(&["S11"], "the index has a space more", true, |it| {
        reindex(it, |text| Ok(text.replacen(':', ": ", 1).into_bytes()))
    }),
    files(&["S12"], "a layer is missing", false, |it| {
        let layers = &Parts::of(it)?.manifests[AMD64].layers;
        let layer = layers.first().context("no layers")?;
        it.files
            .remove(&path(&layer.digest))
            .context("the layer is missing")?;
        Ok(())
    }),
    parts(&["S13"], "an annotation of 4 MiB", false, |it| {
        let text = "x".repeat(4 << 20);
        it.index
            .annotations
            .insert("org.example.large".to_owned(), text);
        Ok(())
    }),
    parts(&["S14"], "a layer may come from elsewhere", false, |it| {
        let layer = it.manifests[AMD64]
            .layers
            .first_mut()
            .context("no layers")?;
        layer.urls.push("https://example.com/layer".to_owned());
        Ok(())
    }),
];

fn path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

fn config_path(layout: &Layout) -> anyhow::Result<String> {
    Ok(path(&Parts::of(layout)?.manifests[AMD64].config.digest))
}

/// Replaces the image index by other bytes, as `index.json` sees it.
fn reindex(
    layout: &mut Layout,
    edit: impl Fn(&str) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<()> {
    let old = layout.image_index()?;
    let bytes = layout.files.remove(&path(&old.digest));
    let text = String::from_utf8(bytes.context("the index is missing")?)?;
    let new = edit(&text)?;
    let mut names = layout.index_json()?;
    for name in &mut names.manifests {
        *name = Descriptor {
            annotations: name.annotations.clone(),
            ..Descriptor::of(&name.media_type, &new)
        };
    }
    layout.add_blob(new);
    layout.files.insert("index.json".to_owned(), encode(&names));
    Ok(())
}

/// A zstd frame whose blocks are stored (RFC 8878): what a node would see, without a compressor.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    // One segment, and four bytes of content size.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    let blocks = bytes.chunks(1 << 17);
    let last = blocks.len().saturating_sub(1);
    for (number, block) in blocks.enumerate() {
        let length = u32::try_from(block.len()).unwrap_or_default();
        let header = length << 3 | u32::from(number == last);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}
