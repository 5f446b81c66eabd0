//! What a path means. Pure: the old box's URLs, the boot tree, and reports.

use crate::inventory::Version;
use crate::net::Mac;
use crate::tftp::tree::Name;

/// A place on this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/`: the state, for people.
    Page,
    /// `/boot/<name>`: the same tree as TFTP.
    Boot(Name),
    /// `/cloud-configs/install.sh`
    InstallScript,
    /// `/cloud-configs/<mac>.yml`, in any spelling.
    CloudConfig(Mac),
    /// `/<version>/<file>`: a published file of an image, as the old box had it.
    OldImageFile(Version, String),
    /// `/current/<file>`: the same of the newest version.
    CurrentImageFile(String),
    /// `/images/<system>/<version>/<file>`
    ImageFile(String, Version, String),
    /// `/v1/event?token=…&event=…`: an installer's report.
    Event {
        /// The installation's token.
        token: String,
        /// `installed` or `failed`.
        event: String,
    },
    /// Nothing that was ever here.
    Nowhere,
}

impl Route {
    /// Whether a machine's life may go on by this answer, which the card must hold first.
    pub fn may_be_written_down(&self) -> bool {
        matches!(self, Route::Boot(_) | Route::InstallScript | Route::Event { .. })
    }
}

/// Finds the place for a request target like `/a/b?c=d` or `http://host/a/b`.
pub fn route(target: &str) -> Route {
    let target = without_origin(target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(path) = decode(path) else {
        return Route::Nowhere;
    };
    // Old installers send a double slash before the version; nginx merged them.
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| matches!(*part, "." | "..") || part.contains('\\')) {
        return Route::Nowhere;
    }
    let version = |name: &str| Version::new(name);
    match parts.as_slice() {
        [] => Route::Page,
        // A GRUB that came by HTTP keeps to its built-in folder, which is at the top.
        ["grub", ..] => Name::parse(&parts.join("/")).map_or(Route::Nowhere, Route::Boot),
        ["boot", name @ ..] => Name::parse(&name.join("/")).map_or(Route::Nowhere, Route::Boot),
        [folder, name] if folder.eq_ignore_ascii_case("cloud-configs") => cloud_config(name),
        ["v1", "event"] => event(query),
        ["current", file] => Route::CurrentImageFile((*file).to_owned()),
        ["images", system, folder, file] => version(folder).map_or(Route::Nowhere, |version| {
            Route::ImageFile((*system).to_owned(), version, (*file).to_owned())
        }),
        [folder, file] => version(folder)
            .map_or(Route::Nowhere, |version| Route::OldImageFile(version, (*file).to_owned())),
        _ => Route::Nowhere,
    }
}

fn cloud_config(name: &str) -> Route {
    let lower = name.to_ascii_lowercase();
    if lower == "install.sh" {
        return Route::InstallScript;
    }
    match lower.strip_suffix(".yml").map(str::parse) {
        Some(Ok(mac)) => Route::CloudConfig(mac),
        _ => Route::Nowhere,
    }
}

fn event(query: &str) -> Route {
    let value = |key: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.into_iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    Route::Event { token: value("token"), event: value("event") }
}

/// Proxies send the whole URL in the request line.
fn without_origin(target: &str) -> &str {
    match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    }
}

/// Percent-decoding, once. None for what is not text, or would be another path decoded.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| plain)?;
        if matches!(byte, b'/' | b'\\') {
            return None;
        }
        bytes.push(byte);
        rest = after;
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::new(text).unwrap()
    }

    #[test]
    fn the_old_boxs_urls_lead_where_they_did() {
        let image = "coreos_production_image.bin.bz2";
        let old = Route::OldImageFile(version("1185.3.0"), image.to_owned());
        assert_eq!(route(&format!("/1185.3.0/{image}")), old);
        assert_eq!(route(&format!("//1185.3.0/{image}")), old);
        assert_eq!(route("/cloud-configs/install.sh"), Route::InstallScript);
        assert_eq!(
            route("/current/version.txt"),
            Route::CurrentImageFile("version.txt".to_owned())
        );
    }

    #[test]
    fn grub_finds_its_configuration_from_the_top_and_in_the_boot_tree() {
        let config = Route::Boot(Name::GrubDefault("grub/x86_64-efi/grub.cfg".to_owned()));
        assert_eq!(route("/grub/x86_64-efi/grub.cfg"), config);
        assert_eq!(route("/boot/grub/x86_64-efi/grub.cfg"), config);
        let list = Route::Boot(Name::Other("grub/x86_64-efi/fs.lst".to_owned()));
        assert_eq!(route("/grub/x86_64-efi/fs.lst"), list);
    }

    #[test]
    fn a_config_is_found_in_every_spelling_of_its_mac() {
        let config = Route::CloudConfig("00:25:90:c0:f7:86".parse().unwrap());
        for name in [
            "00:25:90:c0:f7:86.yml",
            "00%3A25%3a90:c0:f7:86.yml",
            "00-25-90-C0-F7-86.yml",
            "00:25:90:C0:F7:86.YML",
            "002590c0f786.yml",
        ] {
            assert_eq!(route(&format!("/cloud-configs/{name}")), config, "{name}");
        }
    }

    #[test]
    fn nothing_leads_out_of_the_exported_names() {
        for target in [
            "/../etc/passwd",
            "/images/../../etc/passwd",
            "/%2e%2e/1.0/x",
            "/1.0/%2e%2e",
            "/1.0/..%2fx",
            "/1.0/x%00",
            "/1.0/x%0a",
            "/1.0/%c0%ae",
            "/1.0/%zz",
            "/1.0/%",
            "/1.0/a\\b",
            "/cloud-configs/",
            "/cloud-configs",
            "/cloud-configs/x.yml",
            "/etc/passwd",
        ] {
            assert_eq!(route(target), Route::Nowhere, "{target}");
        }
        // Decoded once, this is a strange file name, not a path.
        let name = "%2e%2e".to_owned();
        assert_eq!(route("/1.0/%252e%252e"), Route::OldImageFile(version("1.0"), name));
    }

    #[test]
    fn a_whole_url_in_the_request_line_is_understood() {
        assert_eq!(route("http://10.10.10.1:8080/"), Route::Page);
        assert_eq!(route("http://10.10.10.1"), Route::Page);
    }

    #[test]
    fn a_report_carries_its_token() {
        let expected = Route::Event { token: "ab".to_owned(), event: "installed".to_owned() };
        assert_eq!(route("/v1/event?token=ab&event=installed"), expected);
    }
}
