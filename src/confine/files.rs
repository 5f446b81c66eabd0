//! Files that the servers may touch, held by Landlock; and no TCP connection of their own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope, path_beneath_rules,
};

/// What the crate knows of the kernel's rules; older kernels hold fewer of them.
const RULES: ABI = ABI::V6;

static RESTRICTED: AtomicBool = AtomicBool::new(false);

/// From here on files in `folders` can be read, others not, and none written. What is open
/// already stays open, as the database and the log.
pub fn restrict(folders: &[PathBuf]) -> Result<(), String> {
    let status = try_restrict(folders).map_err(|error| error.to_string())?;
    let in_force = status != RulesetStatus::NotEnforced;
    RESTRICTED.store(in_force, Ordering::Relaxed);
    if in_force { Ok(()) } else { Err("this kernel has none".to_owned()) }
}

/// Whether [`restrict`] was obeyed.
pub fn are_restricted() -> bool {
    RESTRICTED.load(Ordering::Relaxed)
}

fn try_restrict(folders: &[PathBuf]) -> Result<RulesetStatus, landlock::RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let existing = folders.iter().filter(|path| path.exists());
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(Scope::from_all(RULES))?
        .create()?
        .add_rules(path_beneath_rules(existing, read))?;
    Ok(ruleset.restrict_self()?.ruleset)
}
