//! Files that the servers may touch, held by Landlock; and no TCP connection of their own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, path_beneath_rules,
};

/// What the crate knows of the kernel's rules; older kernels hold fewer of them.
const RULES: ABI = ABI::V6;

static RESTRICTED: AtomicBool = AtomicBool::new(false);

/// Where the servers read and write.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    /// Sticks, loaders, and what the kernel tells of itself.
    pub read: Vec<PathBuf>,
    /// What they leave for PID 1.
    pub write: Vec<PathBuf>,
}

/// From here on other files are not there. What is open already stays open, as the database
/// and the log.
pub fn restrict(folders: &Folders) -> Result<(), String> {
    let status = try_restrict(folders).map_err(|error| error.to_string())?;
    let in_force = status != RulesetStatus::NotEnforced;
    RESTRICTED.store(in_force, Ordering::Relaxed);
    if in_force { Ok(()) } else { Err("this kernel has none".to_owned()) }
}

/// Whether [`restrict`] was obeyed.
pub fn are_restricted() -> bool {
    RESTRICTED.load(Ordering::Relaxed)
}

fn try_restrict(folders: &Folders) -> Result<RulesetStatus, landlock::RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write: BitFlags<AccessFs> =
        read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(Scope::from_all(RULES))?
        .create()?
        .add_rules(path_beneath_rules(super::existing(&folders.read), read))?
        .add_rules(path_beneath_rules(super::existing(&folders.write), write))?;
    Ok(ruleset.restrict_self()?.ruleset)
}
