//! Tars: a writer in which every header byte is chosen, and the records of any tar as they stand.

pub mod record;
pub mod write;

pub use record::Record;
pub use write::Entry;
