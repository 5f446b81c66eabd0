//! Steps of an installation as Ubuntu's installer posts them (`reporting:` with a webhook):
//! lines of its log, and never its end, which the installer's last command reports. Pure.

use serde::Deserialize;

use crate::syslog::message::{self, Message};

/// What is posted, as far as people care (curtin's events; `files` may hold whole logs).
#[derive(Debug, Deserialize)]
struct Event {
    name: String,
    #[serde(default)]
    description: String,
    event_type: String,
    #[serde(default)]
    result: String,
}

/// The line for the machine's story. None: this is no event of that kind, or nothing that
/// everybody may read.
pub fn line(body: &str) -> Option<Message> {
    let Event { name, description, event_type, result } = serde_json::from_str(body).ok()?;
    // As syslog has them: RFC 5424 §6.2.1.
    let severity = match result.as_str() {
        "FAIL" => 3,
        "WARN" => 4,
        _ => 6,
    };
    let parts = [event_type, name, result, description];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    message::parse(format!("<{severity}>{}", parts.join(": ")).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::timeline::Weight;

    #[test]
    fn each_step_is_a_line_and_a_failure_an_error() {
        for (body, weight, text) in [
            (
                r#"{"name": "subiquity/Install", "description": "", "event_type": "start",
                    "origin": "curtin", "timestamp": 1.5, "level": "INFO"}"#,
                Weight::Info,
                "start: subiquity/Install",
            ),
            (
                r#"{"name": "a/b", "description": "no disk", "event_type": "finish",
                    "result": "FAIL", "files": [{"path": "/x", "content": "eA=="}]}"#,
                Weight::Error,
                "finish: a/b: FAIL: no disk",
            ),
        ] {
            let expected = Message { weight, text: text.to_owned() };
            assert_eq!(line(body), Some(expected));
        }
    }

    #[test]
    fn what_is_no_step_or_a_secret_is_no_line() {
        for body in ["", "log=text", "{}", "[1]", "{\"name\": 1, \"event_type\": \"start\"}"] {
            assert_eq!(line(body), None, "{body}");
        }
        let body = r#"{"name": "a", "description": "password is x", "event_type": "start"}"#;
        assert_eq!(line(body), None);
    }
}
