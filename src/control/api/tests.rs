use super::*;
use serde_json::Value;

/// A new place needs a number here, and so a description.
fn number(place: &Place) -> usize {
    match place {
        Place::Status => 0,
        Place::Machines => 1,
        Place::Machine(_) => 2,
        Place::Capture(_) => 3,
        Place::Act(_, Act::Arm) => 4,
        Place::Act(_, Act::Disarm) => 5,
        Place::Act(_, Act::Wake) => 6,
        Place::Act(_, Act::Reboot) => 7,
        Place::Images => 8,
        Place::Problems => 9,
        Place::Log => 10,
        Place::Changes => 11,
        Place::Conditions => 12,
        Place::Rescan => 13,
        Place::Reboot => 14,
        Place::SafeMode => 15,
        Place::Description => 16,
    }
}

fn described() -> Vec<(String, String)> {
    let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
    let paths = description["paths"].as_object().unwrap();
    let methods = |(path, methods): (&String, &Value)| {
        let method = |method: &String| (method.to_uppercase(), path.clone());
        methods.as_object().unwrap().keys().map(method).collect::<Vec<_>>()
    };
    // Signing in is for the LAN, and answered there.
    paths.iter().filter(|(path, _)| *path != "/v1/session").flat_map(methods).collect()
}

#[test]
fn every_place_is_described_and_every_description_is_of_a_place() {
    let mut numbers = Vec::new();
    for (method, path) in described() {
        let path = path.replace("{machine}", "node-1");
        let place = place(&path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(place.method(), method, "{path}");
        numbers.push(number(&place));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    assert_eq!(numbers.last(), Some(&number(&Place::Description)));
}

#[test]
fn who_only_looks_needs_no_rights_and_sees_no_packets() {
    let asks =
        |method: &str, path: &str| needs_rights(&ApiRequest { method, path, query: "", body: &[] });
    for (method, path) in described() {
        let wants_them = method == "POST" || path.ends_with("/capture");
        assert_eq!(asks(&method, &path), wants_them, "{method} {path}");
    }
}

#[test]
fn a_name_may_hold_what_a_path_cannot() {
    assert_eq!(decoded("Node%201%2f%C3%A4"), Some("Node 1/ä".to_owned()));
    for wrong in ["%", "%2", "%zz", "%ff", "%+1"] {
        assert_eq!(decoded(wrong), None, "{wrong}");
    }
}

#[test]
fn what_is_known_already_is_a_number() {
    assert_eq!(after(""), Ok(None));
    assert_eq!(after("x=1&after=12"), Ok(Some(12)));
    for wrong in ["after=", "after=-1", "after=1.5", "after=99999999999999999999"] {
        assert_eq!(after(wrong), Err(()), "{wrong}");
    }
    let waits = |method, path, query| waits_for(&ApiRequest { method, path, query, body: &[] });
    assert_eq!(waits("GET", "/v1/changes", "after=7"), Some(7));
    assert_eq!(waits("GET", "/v1/changes", ""), None);
    assert_eq!(waits("GET", "/v1/log", "after=7"), None);
}
