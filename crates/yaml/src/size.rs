//! The size of a value, which each of its aliases adds to the document.

use crate::node::{Kind, Node};

/// The size of a value.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// The number of values, including this one.
    pub(crate) nodes: usize,
    /// The number of bytes of text, including keys.
    pub(crate) text_bytes: usize,
    /// The number of levels below this value.
    pub(crate) depth: usize,
}

impl Size {
    pub(crate) fn of(node: &Node) -> Self {
        let mut size = Self {
            nodes: 1,
            text_bytes: 0,
            depth: 0,
        };
        match &node.kind {
            Kind::Scalar(scalar) => size.text_bytes = scalar.text.len(),
            Kind::Sequence(items) => items.iter().for_each(|item| size.add(item)),
            Kind::Mapping(entries) => {
                for entry in entries {
                    size.text_bytes += entry.key.len();
                    size.add(&entry.value);
                }
            }
        }
        size
    }

    fn add(&mut self, child: &Node) {
        let child = Self::of(child);
        self.nodes += child.nodes;
        self.text_bytes += child.text_bytes;
        self.depth = self.depth.max(child.depth + 1);
    }
}
