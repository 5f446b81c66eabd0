//! System calls that the servers may make, held by seccomp. Any other one fails with EPERM:
//! starting programs, mounting, loading modules, becoming somebody, looking into others.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use super::calls::ALLOWED;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs the filter for this thread and all that it will start.
pub fn install() -> Result<(), String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let refused = SeccompAction::Errno(errno(libc::EPERM));
    // The C library takes clone3 first, whose flags no filter can see, and clone only where
    // the kernel says that it has none. Of two filters the later one's number is told.
    let filters = [
        program(allowed()?, refused, SeccompAction::Allow, arch)?,
        program(
            BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
            SeccompAction::Allow,
            SeccompAction::Errno(errno(libc::ENOSYS)),
            arch,
        )?,
    ];
    filters.iter().try_for_each(|filter| apply_filter(filter)).map_err(|error| error.to_string())
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    named: SeccompAction,
    arch: TargetArch,
) -> Result<BpfProgram, String> {
    let filter = SeccompFilter::new(rules, otherwise, named, arch);
    filter.and_then(BpfProgram::try_from).map_err(|error| error.to_string())
}

fn allowed() -> Result<Rules, String> {
    let mut rules: Rules = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_clone, vec![only_threads()?]);
    Ok(rules)
}

/// `CLONE_THREAD` in the first argument: a thread of this process, not a process.
fn only_threads() -> Result<SeccompRule, String> {
    let thread = u64::try_from(libc::CLONE_THREAD).unwrap_or_default();
    let flags =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(thread), thread);
    flags.and_then(|flags| SeccompRule::new(vec![flags])).map_err(|error| error.to_string())
}

fn errno(number: i32) -> u32 {
    number.unsigned_abs()
}
