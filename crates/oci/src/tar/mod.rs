//! Tars: a writer of ustar whose output depends only on its input, and a reader of the headers of any tar.

pub mod record;
pub mod write;

pub use record::Record;
pub use write::Entry;
