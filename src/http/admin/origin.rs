//! Whether a request that changes something comes from our own page. Pure.
//!
//! A name that a stranger's server resolves to our address (DNS rebinding) is none of ours,
//! and a form on another site names that site as its origin.

use std::net::Ipv4Addr;

/// What a box is called that nobody has named.
const DEFAULT: &str = "pxeberry";

/// What this box is called.
pub struct Names<'a> {
    /// Its address.
    pub address: Ipv4Addr,
    /// By multicast DNS, as long as that name is its own. Where another box has it, a page
    /// under it is not ours.
    pub called: Option<&'a str>,
    /// What its owner has said.
    pub hosts: &'a [String],
}

/// Whether `host` (of the header with that name) is this box, and `origin`, where a browser
/// names one, is that host.
pub fn is_ours(host: Option<&str>, origin: Option<&str>, names: &Names) -> bool {
    let Some(host) = host else {
        return false;
    };
    let name = name_of(host);
    let called = names.called.unwrap_or("pxeberry.local");
    let label = called.split('.').next().unwrap_or_default();
    let own = [called, label, DEFAULT].into_iter().chain(names.hosts.iter().map(String::as_str));
    let ours = name.parse() == Ok(names.address)
        || own.into_iter().any(|own| name.eq_ignore_ascii_case(own));
    // Programs that are no browser send none.
    let same = origin.is_none_or(|origin| {
        origin.strip_prefix("http://").is_some_and(|origin| origin.eq_ignore_ascii_case(host))
    });
    ours && same
}

fn name_of(host: &str) -> &str {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours_called(called: Option<&str>, host: &str, origin: Option<&str>) -> bool {
        let hosts = ["pxe.lan".to_owned()];
        let names = Names { address: Ipv4Addr::new(10, 10, 10, 1), called, hosts: &hosts };
        is_ours(Some(host), origin, &names)
    }

    fn ours(host: &str, origin: Option<&str>) -> bool {
        ours_called(None, host, origin)
    }

    #[test]
    fn our_address_and_our_names_are_ours_with_any_port() {
        for host in
            ["10.10.10.1", "10.10.10.1:8080", "pxeberry.local", "PXEberry.local:80", "pxe.lan."]
        {
            assert!(ours(host, None), "{host}");
            assert!(ours(host, Some(&format!("http://{host}"))), "{host}");
        }
    }

    #[test]
    fn a_name_that_was_bent_to_our_address_is_not() {
        for host in ["evil.example", "10.10.10.1.evil.example", "10.10.10.2", "", "pxeberry.lan"] {
            assert!(!ours(host, None), "{host}");
        }
        let names = Names { address: Ipv4Addr::new(10, 10, 10, 1), called: None, hosts: &[] };
        assert!(!is_ours(None, None, &names));
    }

    #[test]
    fn the_name_that_it_has_on_the_lan_is_ours_and_the_one_that_another_has_is_not() {
        let called = Some("pxeberry-2.local");
        for host in ["pxeberry-2.local", "PXEberry-2.local.:8080", "pxeberry-2"] {
            let origin = format!("http://{host}");
            assert!(ours_called(called, host, Some(&origin)), "{host}");
        }
        assert!(!ours_called(called, "pxeberry.local", None));
        assert!(!ours_called(Some("pxeberry.local"), "pxeberry-2.local", None));
    }

    #[test]
    fn nor_is_a_form_on_another_site() {
        for origin in ["http://evil.example", "null", "https://10.10.10.1", "http://10.10.10.1:81"]
        {
            assert!(!ours("10.10.10.1", Some(origin)), "{origin}");
        }
    }
}
