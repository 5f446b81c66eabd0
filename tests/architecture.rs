//! What decides does not act: files that are named pure touch no socket, file, clock,
//! thread or runtime, and dependencies point one way.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Logic without IO: time and randomness are arguments there.
const PURE: &[&str] = &[
    "boot/arch.rs",
    "boot/args.rs",
    "boot/grub.rs",
    "boot/install.rs",
    "boot/install_script.rs",
    "boot/ipxe.rs",
    "boot/loader.rs",
    "boot/mod.rs",
    "boot/plan.rs",
    "boot/pxelinux.rs",
    "boot/rewrite.rs",
    "cli.rs",
    "config/error.rs",
    "config/mod.rs",
    "config/nearest.rs",
    "config/secret.rs",
    "config/wire.rs",
    "dhcp/client.rs",
    "dhcp/decide.rs",
    "dhcp/early.rs",
    "dhcp/lease.rs",
    "dhcp/limit.rs",
    "dhcp/message.rs",
    "dhcp/option.rs",
    "dhcp/proxy.rs",
    "dhcp/reply.rs",
    "dhcp/route.rs",
    "dhcp/shape.rs",
    "dhcp/silence.rs",
    "dhcp/site.rs",
    "dhcp/stay.rs",
    "dhcp/waiting.rs",
    "dhcp/wire.rs",
    "fetch/newest.rs",
    "fetch/plan.rs",
    "fetch/progress.rs",
    "fetch/publisher.rs",
    "fetch/unpack.rs",
    "fetch/url.rs",
    "fetch/verdict.rs",
    "fleet/capture.rs",
    "fleet/facts.rs",
    "fleet/life.rs",
    "fleet/silence.rs",
    "fleet/slots.rs",
    "fleet/stage.rs",
    "fleet/tape.rs",
    "fleet/timeline.rs",
    "fleet/trouble.rs",
    "http/admin/origin.rs",
    "http/admin/session.rs",
    "http/admin/tries.rs",
    "http/condition.rs",
    "http/guests.rs",
    "http/page/frame.rs",
    "http/page/home.rs",
    "http/page/leds.rs",
    "http/page/machine.rs",
    "http/page/machines.rs",
    "http/page/sign_in.rs",
    "http/page/words.rs",
    "http/range.rs",
    "http/route.rs",
    "http/webhook.rs",
    "init/blkid/mod.rs",
    "init/supervise.rs",
    "inventory/assign.rs",
    "inventory/configs.rs",
    "inventory/configs/check.rs",
    "inventory/configs/facts.rs",
    "inventory/configs/folders.rs",
    "inventory/configs/reporting.rs",
    "inventory/configs/reporting/autoinstall.rs",
    "inventory/configs/reporting/autoyast.rs",
    "inventory/configs/reporting/json.rs",
    "inventory/configs/reporting/kickstart.rs",
    "inventory/configs/reporting/preseed.rs",
    "inventory/configs/template.rs",
    "inventory/configs/yaml.rs",
    "inventory/cpu.rs",
    "inventory/detect.rs",
    "inventory/ending.rs",
    "inventory/find/files.rs",
    "inventory/find/mod.rs",
    "inventory/find/place.rs",
    "inventory/find/start.rs",
    "inventory/find/told.rs",
    "inventory/find/words.rs",
    "inventory/find/written.rs",
    "inventory/iso/folder.rs",
    "inventory/iso/mod.rs",
    "inventory/iso/record.rs",
    "inventory/iso/rock_ridge.rs",
    "inventory/iso/volume.rs",
    "inventory/iso/walk.rs",
    "inventory/machine/disk.rs",
    "inventory/machine/file.rs",
    "inventory/machine/identity.rs",
    "inventory/machine/labels.rs",
    "inventory/machine/learned.rs",
    "inventory/machine/mod.rs",
    "inventory/machine/roster.rs",
    "inventory/machine/rules.rs",
    "inventory/machine/shell.rs",
    "inventory/mod.rs",
    "inventory/pattern.rs",
    "inventory/profile/mod.rs",
    "inventory/profile/names.rs",
    "inventory/profile/own.rs",
    "inventory/profile/read.rs",
    "inventory/quota.rs",
    "inventory/tree.rs",
    "inventory/version.rs",
    "logging/limit.rs",
    "logging/ring.rs",
    "mdns/chance.rs",
    "mdns/message.rs",
    "mdns/record.rs",
    "mdns/responder.rs",
    "net/mac.rs",
    "net/subnet.rs",
    "panel/button.rs",
    "panel/display.rs",
    "panel/face.rs",
    "panel/model.rs",
    "panel/pattern.rs",
    "prompt/line.rs",
    "panel/table.rs",
    "report/asking.rs",
    "report/explain_text.rs",
    "report/status.rs",
    "report/stick.rs",
    "report/table.rs",
    "serve/banner.rs",
    "syslog/limit.rs",
    "syslog/message.rs",
    "tftp/places.rs",
    "tftp/request.rs",
    "tftp/tree.rs",
    "verify/armor.rs",
    "verify/certificate.rs",
    "verify/evidence.rs",
    "verify/hint.rs",
    "verify/openpgp.rs",
    "verify/release.rs",
    "verify/stick.rs",
    "verify/sums.rs",
    "verify/table.rs",
    "verify/verdict.rs",
    "world/taken.rs",
    "world/turns.rs",
];

/// Each of these acts, or asks the system something.
const IO: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "getrandom",
    "libc::",
    "rustix::",
    "socket2",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "tokio",
];

/// Folders from the ground up: each may use those before it, never one behind it.
const LAYERS: [&[&str]; 6] = [
    &["net", "config", "confine", "guard", "heartbeat", "logging", "cli"],
    &[
        "dhcp/decide",
        "dhcp/early",
        "dhcp/lease",
        "dhcp/limit",
        "dhcp/message",
        "dhcp/option",
        "dhcp/reply",
        "dhcp/proxy",
        "dhcp/route",
        "dhcp/shape",
        "dhcp/silence",
        "dhcp/site",
        "dhcp/waiting",
        "dhcp/wire",
        "inventory",
        "panel/pattern",
        "verify",
    ],
    &["fleet", "boot", "tftp/tree"],
    &["world"],
    &[
        "dhcp/answer",
        "dhcp/clerk",
        "dhcp/server",
        "dhcp/story",
        "tftp",
        "http",
        "control",
        "mdns",
        "syslog",
    ],
    &["serve", "init", "panel", "prompt", "report", "fetch"],
];

#[test]
fn pure_files_touch_no_socket_file_clock_thread_or_runtime() {
    let mut broken = Vec::new();
    for file in PURE {
        let code = code_of(&source().join(file));
        for word in IO {
            if code.contains(word) {
                broken.push(format!("src/{file} uses {word}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn dependencies_point_one_way() {
    let mut broken = Vec::new();
    for file in rust_files(&source()) {
        let name = file.strip_prefix(source()).unwrap().to_string_lossy().into_owned();
        let Some(own) = layer(name.trim_end_matches(".rs")) else {
            continue;
        };
        for used in uses(&code_of(&file)) {
            if layer(&used).is_some_and(|other| other > own) {
                broken.push(format!("src/{name} uses crate::{}", used.replace('/', "::")));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A file's code without comments, and without its tests, which may do what they like.
fn code_of(path: &Path) -> String {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The layer of a path like `dhcp/wire` or `http/server`; the longest name wins.
fn layer(path: &str) -> Option<usize> {
    let within = |name: &&&str| path == **name || path.starts_with(&format!("{name}/"));
    let named = LAYERS.iter().enumerate().filter_map(|(level, names)| {
        names.iter().filter(within).map(|name| name.len()).max().map(|length| (length, level))
    });
    named.max().map(|(_, level)| level)
}

/// `use crate::a::b::…` as `a/b`.
fn uses(code: &str) -> Vec<String> {
    let paths = code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    });
    paths.map(|path| path.split("::").take(2).collect::<Vec<_>>().join("/")).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            files.push(path);
        }
    }
    files
}
