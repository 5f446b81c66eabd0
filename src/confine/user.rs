//! A user of its own, with the three capabilities that serving needs.

use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities,
    set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// What the servers go on as on the appliance: from the range of users that systemd gives to services for as long as they run
/// (61184-65519): no person and no package has it.
pub const OWN_USER: u32 = 61769;

/// Port 67 and its like; the network card's own address; ARP and frames to machines that have
/// no address yet.
const KEPT: [(&str, CapabilitySet, u32); 3] = [
    ("net_bind_service", CapabilitySet::NET_BIND_SERVICE, 10),
    ("net_admin", CapabilitySet::NET_ADMIN, 12),
    ("net_raw", CapabilitySet::NET_RAW, 13),
];

/// The last capability that Linux has (`CAP_CHECKPOINT_RESTORE`); a newer one is not ours
/// without its bit here, as all are taken away that are not kept.
const ALL: u64 = (1 << 41) - 1;

/// Goes on as a user of its own, who owns no file.
pub fn become_nobody() -> Result<(), String> {
    drop_to(OWN_USER).map_err(|error| error.to_string())
}

fn drop_to(user: u32) -> rustix::io::Result<()> {
    let kept = KEPT.iter().fold(CapabilitySet::empty(), |all, (_, one, _)| all | *one);
    for capability in CapabilitySet::from_bits_retain(ALL).iter_names().map(|(_, one)| one) {
        if !kept.contains(capability) {
            remove_capability_from_bounding_set(capability)?;
        }
    }
    set_keep_capabilities(true)?;
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets)?;
    set_keep_capabilities(false)
}

/// The names of a set of capabilities.
pub fn names(set: u64) -> Vec<&'static str> {
    if set & ALL == ALL {
        return vec!["all"];
    }
    let ours = KEPT.iter().filter(|(_, _, bit)| set & (1 << bit) != 0).map(|(name, ..)| *name);
    let known: u64 = KEPT.iter().map(|(_, _, bit)| 1 << bit).sum();
    let others = (set & !known != 0).then_some("others");
    ours.chain(others).collect()
}
