//! Names that try to lead out of what is served, in every spelling that has worked on some
//! server.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

/// Where a name could begin: each leads to another part of the server.
pub const BEGINNINGS: &[&str] = &[
    "",
    "boot",
    "tftp",
    "images",
    "images/coreos/1185.3.0",
    "images/debian-13.iso",
    "images/debian-13.iso/install.amd",
    "images/evil.iso",
    "1185.3.0",
    "current",
    "cloud-configs",
    "grub",
    "pxelinux.cfg",
];

/// What stands outside, seen from the folder of a stick.
const OUTSIDE: &[&str] = &["secret", "pxeberry.toml", "etc/passwd"];

/// One step up.
const UP: &[&str] = &[
    "..",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "%252e%252e",
    "%25252e%25252e",
    "..%00",
    "..%0a",
    ".. ",
    "...",
    "..;",
    "%c0%ae%c0%ae",
    "%e0%80%ae%e0%80%ae",
    "%f0%80%80%ae%f0%80%80%ae",
    "\u{ff0e}\u{ff0e}",
    "\u{2025}",
    "%u002e%u002e",
    "..\\..",
];

/// What stands between the steps.
const SLASHES: &[&str] = &["/", "\\", "%2f", "%5c", "%252f", "//", "/./", "%c0%af", "\u{2215}"];

/// More than 3,000 names, as they stand in a request line or a TFTP request.
pub fn names() -> Vec<String> {
    let mut names = Vec::new();
    for (at, beginning) in BEGINNINGS.iter().enumerate() {
        for (step, up) in UP.iter().enumerate() {
            for (cut, slash) in SLASHES.iter().enumerate() {
                // Each spelling with each beginning; depth and goal vary with them.
                let deep = 1 + (at + step + cut) % 7;
                let goal = OUTSIDE[(at + step + cut) % OUTSIDE.len()];
                let way = format!("{up}{slash}").repeat(deep);
                names.push(format!("{beginning}/{way}{goal}"));
            }
        }
        names.extend(of_beginning(beginning));
    }
    names.retain(|name| !name.is_empty());
    names
}

fn of_beginning(beginning: &str) -> Vec<String> {
    let long = "a".repeat(4096);
    let deep = "a/".repeat(2000);
    let wide = "%61".repeat(1300);
    [
        "/etc/passwd",
        "//etc/passwd",
        "/run/box/secret",
        "file:///etc/passwd",
        "C:\\run\\box\\secret",
        "\\\\10.10.10.1\\run\\box\\secret",
        "etc/passwd%00.iso",
        "secret\0.ipxe",
        "passwd",
        "above",
        "above/etc/passwd",
        "link/secret",
        "%2fetc%2fpasswd",
        "~root/.profile",
        "$(cat /run/box/secret)",
        "`cat /run/box/secret`",
        "{{ secret }}",
        "{% include '/run/box/secret' %}",
        "CON",
        "::$DATA",
        "\u{feff}secret",
        "secret\u{202e}",
        "\u{7f}",
        ".",
        "..",
        &long,
        &deep,
        &wide,
    ]
    .map(|name| format!("{beginning}/{name}"))
    .into()
}
