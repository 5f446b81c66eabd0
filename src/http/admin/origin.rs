//! Whether a request that changes something comes from our own page. Pure.
//!
//! A name that a stranger's server resolves to our address (DNS rebinding) is none of ours,
//! and a form on another site names that site as its origin.

use std::net::Ipv4Addr;

/// What this box calls itself by multicast DNS.
const OWN_NAMES: [&str; 2] = ["pxeberry.local", "pxeberry"];

/// Whether `host` (of the header with that name) is this box, and `origin`, where a browser
/// names one, is that host.
pub fn is_ours(
    host: Option<&str>,
    origin: Option<&str>,
    address: Ipv4Addr,
    names: &[String],
) -> bool {
    let Some(host) = host else {
        return false;
    };
    let name = name_of(host);
    let ours = name.parse() == Ok(address)
        || OWN_NAMES.iter().any(|own| name.eq_ignore_ascii_case(own))
        || names.iter().any(|own| name.eq_ignore_ascii_case(own));
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

    fn ours(host: &str, origin: Option<&str>) -> bool {
        is_ours(Some(host), origin, Ipv4Addr::new(10, 10, 10, 1), &["pxe.lan".to_owned()])
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
        assert!(!is_ours(None, None, Ipv4Addr::new(10, 10, 10, 1), &[]));
    }

    #[test]
    fn nor_is_a_form_on_another_site() {
        for origin in ["http://evil.example", "null", "https://10.10.10.1", "http://10.10.10.1:81"]
        {
            assert!(!ours("10.10.10.1", Some(origin)), "{origin}");
        }
    }
}
