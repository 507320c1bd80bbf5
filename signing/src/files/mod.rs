//! Files and directories that nobody else may change, and the system's clock.
//!
//! ```text
//! permission_policy    Location: a path, and what happens where others may change it
//! permissions          the rules for owners and modes, with effective_user
//! checked_path         the walk from the root of the file system to a directory
//! directory            one directory, opened once; everything in it is reached through that handle
//! locked_directory     a directory that one process at a time changes, with turn
//! guarded_directory    a directory of decisions, which others may read and not change
//! private_directory    a directory that nobody else may look into
//! file_buffer          memory for a file's content
//! file_stamp           tells whether a file was changed, without reading it; directory_stamp, some of a directory
//! progress             counts the bytes that were read
//! clock                the time now
//! ```

pub(crate) mod checked_path;
pub(crate) mod clock;
pub(crate) mod directory;
pub(crate) mod directory_stamp;
pub(crate) mod effective_user;
pub(crate) mod file_buffer;
pub(crate) mod file_stamp;
pub(crate) mod guarded_directory;
pub(crate) mod locked_directory;
pub(crate) mod permission_policy;
pub(crate) mod permissions;
pub(crate) mod private_directory;
pub(crate) mod progress;
pub(crate) mod turn;
