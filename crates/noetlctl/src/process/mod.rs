//! What every long-running noetl process needs: its log, the signals that stop it, and its pid file, by
//! which another noetl finds and stops it.

pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod pid_file;
pub(crate) mod signals;
pub(crate) mod stop;
